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
}
