internal import RenderModel
internal import RenderProtocol

/// The metrics of a store.
///
/// Their names, and what they mean, are those of protocol/README.md; a test compares them.
enum StoreMetrics {
  static func families(of figures: StoreFigures) -> [MetricFamily] {
    [
      renders(figures.renders),
      oldestActive(figures.oldestActiveAt),
      number(
        "renderstate_changes_total",
        .counter,
        "Accepted changes of all renders.",
        figures.seq
      ),
      MetricFamily(
        "renderstate_queue_duration_seconds",
        .histogram,
        "Time from the start of an attempt to its first progress, or to its end without one.",
        [.init(value: .histogram(figures.durations[.queue]))]
      ),
      attempts(figures.durations),
      number(
        "renderstate_database_size_bytes",
        .gauge,
        "Size of the database file.",
        figures.bytes
      ),
      number(
        "renderstate_wal_size_bytes",
        .gauge,
        "Size of the write-ahead log beside the database file.",
        figures.walBytes
      ),
      MetricFamily(
        "renderstate_sqlite_info",
        .gauge,
        "Always 1; the label is the version of SQLite.",
        [.init(labels: [("version", figures.sqliteVersion)], value: .number(1))]
      ),
    ]
  }

  private static func number(
    _ name: String,
    _ kind: MetricFamily.Kind,
    _ help: String,
    _ number: Int64
  ) -> MetricFamily {
    MetricFamily(name, kind, help, [.init(value: .number(Double(number)))])
  }

  private static func renders(_ counts: RenderCounts) -> MetricFamily {
    let states: [(State, Int64)] = [
      (.queued, counts.queued), (.rendering, counts.rendering), (.completed, counts.completed),
      (.failed, counts.failed),
    ]
    return MetricFamily(
      "renderstate_renders",
      .gauge,
      "Renders in each state.",
      states.map { state, count in
        .init(labels: [("state", state.rawValue)], value: .number(Double(count)))
      }
    )
  }

  /// A moment and not an age, so that it does not change while nothing happens.
  ///
  /// It has no value while nothing is active.
  private static func oldestActive(_ moment: Timestamp?) -> MetricFamily {
    MetricFamily(
      "renderstate_oldest_active_event_timestamp_seconds",
      .gauge,
      "Time of the last event of the active render whose last event is the longest ago.",
      moment.map { [.init(value: .number(Double($0.milliseconds) / 1_000))] } ?? []
    )
  }

  private static func attempts(_ durations: Durations) -> MetricFamily {
    let outcomes: [(AttemptDuration, String)] = [
      (.completed, "completed"), (.failed, "failed"), (.cancelled, "cancelled"),
      (.timedOut, "timed_out"),
    ]
    return MetricFamily(
      "renderstate_attempt_duration_seconds",
      .histogram,
      "Time from the start of an attempt to its end, by what it came to.",
      outcomes.map { duration, outcome in
        .init(labels: [("outcome", outcome)], value: .histogram(durations[duration]))
      }
    )
  }
}
