internal import JSON
internal import RenderStore

/// What a run of `prune` has removed, or would remove.
struct PruneReport: Sendable {
  let isDryRun: Bool
  var count = PrunedCount()
  var steps: Int64 = 0
  /// The longest that a step has held the gate.
  var longestPause = Duration.zero

  init(isDryRun: Bool) {
    self.isDryRun = isDryRun
  }

  /// The same for people.
  var line: String {
    """
    \(isDryRun ? "would remove" : "removed") \(counted(count.renders, "render")) with \
    \(counted(count.changes, "change")), and \(counted(count.progress, "change")) of progress of others
    """
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("dryRun")
    writer.bool(isDryRun)
    for (key, number) in [
      ("renders", count.renders), ("changes", count.changes), ("progress", count.progress),
    ] {
      writer.key(escaping: key)
      writer.integer(number)
    }
    writer.key("steps")
    if isDryRun { writer.null() } else { writer.integer(steps) }
    writer.key("longestPauseMs")
    if isDryRun {
      writer.null()
    } else {
      writer.number((longestPause / .microseconds(1)).rounded() / 1_000)
    }
    writer.endObject()
  }
}
