public import JSON

/// Frees a lease before it expires.
public enum ReleaseLeaseMethod: Method {
  public static let name = "releaseLease"
  public static let actsAsNotification = true

  public struct Params: Sendable {
    public let name: String
    public let holder: String
  }

  public struct Answer: WireValue {
    public let isReleased: Bool

    public init(isReleased: Bool) {
      self.isReleased = isReleased
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("released")
      writer.bool(isReleased)
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("name", "holder")
    return Params(name: try params.identifier("name"), holder: try params.identifier("holder"))
  }
}
