public import JSON

/// Ends a subscription.
public enum UnsubscribeMethod: Method {
  public static let name = "unsubscribe"
  public static let actsAsNotification = true

  public struct Params: Sendable {
    public let subscription: String
  }

  public struct Answer: WireValue {
    public init() {}

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("unsubscribed")
      writer.bool(true)
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("subscription")
    guard let subscription = try params.optionalFreeText("subscription") else {
      throw params.invalid("subscription", "it is required")
    }
    return Params(subscription: subscription)
  }
}
