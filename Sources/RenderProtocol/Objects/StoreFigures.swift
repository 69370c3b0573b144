public import JSON
public import RenderModel

/// What there is to count in a store.
public struct StoreFigures: Sendable {
  public let kind: String
  public let bytes: Int64
  public let walBytes: Int64
  /// The head of the log.
  public let seq: Int64
  public let sqliteVersion: String
  public let renders: RenderCounts
  /// When the active render whose last event is the longest ago had that; nil if none is active.
  public let oldestActiveAt: Timestamp?
  public let durations: Durations

  public init(
    kind: String,
    bytes: Int64,
    walBytes: Int64,
    seq: Int64,
    sqliteVersion: String,
    renders: RenderCounts,
    oldestActiveAt: Timestamp?,
    durations: Durations
  ) {
    self.kind = kind
    self.bytes = bytes
    self.walBytes = walBytes
    self.seq = seq
    self.sqliteVersion = sqliteVersion
    self.renders = renders
    self.oldestActiveAt = oldestActiveAt
    self.durations = durations
  }

  /// Writes the members `store`, `renders`, `oldestActiveAt` and `durations` of an object.
  public func writeMembers(to writer: inout JSONWriter) {
    writer.key("store")
    writer.beginObject()
    writer.key("kind")
    writer.string(kind)
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
    writer.integer(renders.queued)
    writer.key("rendering")
    writer.integer(renders.rendering)
    writer.key("completed")
    writer.integer(renders.completed)
    writer.key("failed")
    writer.integer(renders.failed)
    writer.endObject()
    writer.key("oldestActiveAt")
    writer.time(oldestActiveAt)
    writer.key("durations")
    durations.write(to: &writer)
  }
}

extension Durations {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("boundsMs")
    writer.beginArray()
    for bound in Histogram.bounds { writer.integer(bound) }
    writer.endArray()
    for duration in AttemptDuration.allCases {
      let histogram = self[duration]
      writer.key(escaping: duration.rawValue)
      writer.beginObject()
      writer.key("counts")
      writer.beginArray()
      for bucket in histogram.buckets { writer.integer(bucket.count) }
      writer.endArray()
      writer.key("sumMs")
      writer.integer(histogram.totalMilliseconds)
      writer.endObject()
    }
    writer.endObject()
  }
}
