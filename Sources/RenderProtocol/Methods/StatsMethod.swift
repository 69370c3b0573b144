public import JSON
internal import RenderModel

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
    public var uptimeMilliseconds: Int64
    public var storeKind: String
    public var bytes: Int64
    public var walBytes: Int64
    public var seq: Int64
    public var sqliteVersion: String
    public var queued: Int64
    public var rendering: Int64
    public var completed: Int64
    public var failed: Int64
    public var subscriptions: Int
    public var calls: [Calls]

    public init(
      uptimeMilliseconds: Int64,
      storeKind: String,
      bytes: Int64,
      walBytes: Int64,
      seq: Int64,
      sqliteVersion: String,
      queued: Int64,
      rendering: Int64,
      completed: Int64,
      failed: Int64,
      subscriptions: Int,
      calls: [Calls]
    ) {
      self.uptimeMilliseconds = uptimeMilliseconds
      self.storeKind = storeKind
      self.bytes = bytes
      self.walBytes = walBytes
      self.seq = seq
      self.sqliteVersion = sqliteVersion
      self.queued = queued
      self.rendering = rendering
      self.completed = completed
      self.failed = failed
      self.subscriptions = subscriptions
      self.calls = calls
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("uptimeMs")
      writer.integer(uptimeMilliseconds)
      writer.key("store")
      writer.beginObject()
      writer.key("kind")
      writer.string(storeKind)
      writer.key("bytes")
      writer.integer(bytes)
      writer.key("walBytes")
      writer.integer(walBytes)
      writer.key("seq")
      writer.integer(seq)
      writer.key("sqliteVersion")
      writer.string(sqliteVersion)
      writer.endObject()
      writer.key("renders")
      writer.beginObject()
      writer.key("queued")
      writer.integer(queued)
      writer.key("rendering")
      writer.integer(rendering)
      writer.key("completed")
      writer.integer(completed)
      writer.key("failed")
      writer.integer(failed)
      writer.endObject()
      writer.key("subscriptions")
      writer.integer(Int64(subscriptions))
      writer.key("methods")
      writer.beginObject()
      for call in calls {
        writer.key(call.method)
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
