internal import RenderModel

extension Schema {
  /// How long attempts took, counted as they end: the log would take long to be asked, and may be pruned.
  ///
  /// Our own changes are counted by `WriteTransaction`, those by hand by the trigger.
  static let durations = """
    CREATE TABLE durations (
      duration TEXT NOT NULL,
      -- Up to how many milliseconds the bucket reaches.
      bound INTEGER NOT NULL,
      count INTEGER NOT NULL,
      total_ms INTEGER NOT NULL,
      PRIMARY KEY (duration, bound)
    ) STRICT, WITHOUT ROWID;

    CREATE TRIGGER transitions_measure AFTER INSERT ON transitions WHEN NEW.event <> 'start' BEGIN
      INSERT INTO durations
        SELECT duration, \(bound(of: "ms")), 1, ms FROM (
          SELECT max(0, NEW.at - started_at) AS ms FROM renders WHERE id = NEW.id
        ) CROSS JOIN (
          SELECT 'queue' AS duration WHERE NEW.previous_state = 'queued'
          UNION ALL
          SELECT 'completed' WHERE NEW.event = 'complete'
          UNION ALL
          SELECT 'cancelled' WHERE NEW.event = 'cancel'
          UNION ALL
          SELECT iif(NEW.actor = '\(Change.watchdog)', 'timedOut', 'failed') WHERE NEW.event = 'fail'
        ) WHERE true
        ON CONFLICT DO UPDATE
          SET count = count + excluded.count, total_ms = total_ms + excluded.total_ms;
    END;

    """

  private static func bound(of milliseconds: String) -> String {
    let cases = Histogram.bounds.map { "WHEN \(milliseconds) <= \($0) THEN \($0)" }
    return "CASE \(cases.joined(separator: " ")) ELSE \(Int64.max) END"
  }
}
