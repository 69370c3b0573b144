public import RenderModel

enum DurationSQL {
  static let select = "SELECT duration, bound, count, total_ms FROM durations"

  static let add = """
    INSERT INTO durations (duration, bound, count, total_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE
      SET count = count + excluded.count, total_ms = total_ms + excluded.total_ms
    """
}

extension RenderStore {
  /// How long the attempts took that have ended, or have left the queue, since the store counts them.
  public func durations() throws(StoreError) -> Durations {
    var durations = Durations()
    let rows = try statements.selectDurations.all { row throws(StoreError) in
      (
        duration: AttemptDuration(rawValue: row.text(0)),
        bound: row.integer(1),
        count: row.integer(2),
        total: row.integer(3)
      )
    }
    for row in rows {
      guard let duration = row.duration else { continue }
      durations[duration].add(row.bound, count: row.count, totalMilliseconds: row.total)
    }
    return durations
  }

  /// Counts what was measured.
  func add(_ durations: Durations) throws(StoreError) {
    for (duration, histogram) in durations.histograms {
      for bucket in histogram.buckets where bucket.count > 0 {
        let statement = statements.addDurations
        statement.bind(1, duration.rawValue)
        statement.bind(2, bucket.bound ?? .max)
        statement.bind(3, bucket.count)
        statement.bind(4, bucket.totalMilliseconds)
        try statement.run()
      }
    }
  }
}
