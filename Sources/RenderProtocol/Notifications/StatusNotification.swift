public import JSON
public import RenderModel

/// Tells of one change that a subscription matches.
public struct StatusNotification: WireValue {
  public static let name: StaticString = "status"

  public let subscription: String
  public let change: Change
  /// How many earlier changes of the render were left out for this one.
  public let skipped: Int64

  public init(subscription: String, change: Change, skipped: Int64) {
    self.subscription = subscription
    self.change = change
    self.skipped = skipped
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("subscription")
    writer.string(subscription)
    writer.key("change")
    writer.change(change)
    writer.key("skipped")
    writer.integer(skipped)
    writer.endObject()
  }
}
