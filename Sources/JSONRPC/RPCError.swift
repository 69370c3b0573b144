public import JSON

/// The error member of a response.
public struct RPCError: Error, Sendable {
  public let code: Int
  /// One sentence for people.
  public let message: String
  /// `data` as compact JSON.
  public let data: [UInt8]

  public init(code: Int, message: String, data: [UInt8]) {
    self.code = code
    self.message = message
    self.data = data
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("code")
    writer.integer(Int64(code))
    writer.key("message")
    writer.string(message)
    writer.key("data")
    writer.raw(data)
    writer.endObject()
  }
}
