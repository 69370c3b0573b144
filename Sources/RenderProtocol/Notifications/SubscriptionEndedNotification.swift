public import JSON

/// Tells that nothing more will be told for a subscription.
public struct SubscriptionEndedNotification: WireValue {
  public static let name: StaticString = "subscriptionEnded"

  public enum Reason: String, Sendable {
    /// All of its renders are in a terminal state.
    case terminal
    /// The sidecar stops.
    case shutdown
  }

  public let subscription: String
  public let reason: Reason

  public init(subscription: String, reason: Reason) {
    self.subscription = subscription
    self.reason = reason
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("subscription")
    writer.string(subscription)
    writer.key("reason")
    writer.string(reason.rawValue)
    writer.endObject()
  }
}
