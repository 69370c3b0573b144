/// How long something took, each time that it happened: how many times were how long.
public struct Histogram: Sendable, Equatable {
  /// Up to how many milliseconds each bucket reaches; what took longer is in one more.
  public static let bounds: [Int64] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    1_800_000, 3_600_000, 10_800_000,
  ]

  public struct Bucket: Sendable, Equatable {
    /// Nil for what took longer than all bounds.
    public let bound: Int64?
    /// How many times it took up to the bound, and longer than the one before.
    public internal(set) var count: Int64 = 0
    /// How many milliseconds they took together.
    public internal(set) var totalMilliseconds: Int64 = 0
  }

  /// One for each bound, and one for what took longer.
  public private(set) var buckets: [Bucket]

  public init() {
    buckets = (Self.bounds + [nil]).map { Bucket(bound: $0) }
  }

  /// How many times it happened.
  public var count: Int64 { buckets.reduce(0) { $0 + $1.count } }

  /// How many milliseconds all of them took together.
  public var totalMilliseconds: Int64 { buckets.reduce(0) { $0 + $1.totalMilliseconds } }

  /// Counts so many times that belong in the bucket of a number of milliseconds.
  public mutating func add(_ milliseconds: Int64, count: Int64, totalMilliseconds: Int64) {
    let index = Self.bounds.firstIndex { milliseconds <= $0 } ?? Self.bounds.count
    buckets[index].count += count
    buckets[index].totalMilliseconds += totalMilliseconds
  }
}

/// What is measured of an attempt.
public enum AttemptDuration: String, CaseIterable, Sendable {
  /// From its start to the first progress, or to its end if there was none.
  case queue
  /// From its start to its end, by what it came to; a deadline ends what has timed out.
  case completed
  case failed
  case cancelled
  case timedOut
}

/// How long the attempts of a store took.
public struct Durations: Sendable, Equatable {
  public private(set) var histograms: [AttemptDuration: Histogram] = [:]

  public init() {}

  public subscript(duration: AttemptDuration) -> Histogram {
    get { histograms[duration] ?? Histogram() }
    set { histograms[duration] = newValue }
  }

  /// Measures what a change ends, of an attempt that started at a moment.
  ///
  /// Not by the time of the change: where the clock was set back, that is dated later.
  public mutating func measure(_ change: Change, since start: Timestamp, at now: Timestamp) {
    let milliseconds = max(0, now.milliseconds(since: start))
    func add(_ duration: AttemptDuration) {
      self[duration].add(milliseconds, count: 1, totalMilliseconds: milliseconds)
    }
    if change.previousState == .queued { add(.queue) }
    switch change.event {
    case .complete: add(.completed)
    case .cancel: add(.cancelled)
    case .fail: add(change.actor == Change.watchdog ? .timedOut : .failed)
    case .start, .progress: break
    }
  }
}

extension Change {
  /// The actor of a change that a deadline makes.
  public static let watchdog = "watchdog"
}
