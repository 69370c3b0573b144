public import JSON

/// Tells how the sidecar fares.
public enum StatsMethod: Method {
  public static let name = "stats"

  public struct Params: Sendable {}

  /// How often a method was called, and how long it took from being read to being done.
  public struct Calls: Sendable {
    public let method: String
    public let count: Int64
    public let errors: Int64
    public let p50Microseconds: Double
    public let p99Microseconds: Double

    public init(
      method: String,
      count: Int64,
      errors: Int64,
      p50Microseconds: Double,
      p99Microseconds: Double
    ) {
      self.method = method
      self.count = count
      self.errors = errors
      self.p50Microseconds = p50Microseconds
      self.p99Microseconds = p99Microseconds
    }
  }

  public struct Answer: WireValue {
    public let uptimeMilliseconds: Int64
    public let store: StoreFigures
    public let subscriptions: Int
    public let calls: [Calls]

    public init(
      uptimeMilliseconds: Int64,
      store: StoreFigures,
      subscriptions: Int,
      calls: [Calls]
    ) {
      self.uptimeMilliseconds = uptimeMilliseconds
      self.store = store
      self.subscriptions = subscriptions
      self.calls = calls
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("uptimeMs")
      writer.integer(uptimeMilliseconds)
      store.writeMembers(to: &writer)
      writer.key("subscriptions")
      writer.integer(Int64(subscriptions))
      writer.key("methods")
      writer.beginObject()
      for call in calls {
        writer.key(escaping: call.method)
        writer.beginObject()
        writer.key("count")
        writer.integer(call.count)
        writer.key("errors")
        writer.integer(call.errors)
        writer.key("p50Us")
        writer.number(call.p50Microseconds)
        writer.key("p99Us")
        writer.number(call.p99Microseconds)
        writer.endObject()
      }
      writer.endObject()
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow()
    return Params()
  }
}
