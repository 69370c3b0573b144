internal import Dispatch

/// What is measured, in the order of the table; the raw values are the keys of the JSON.
enum BenchMeasure: String, CaseIterable, Sendable {
  case diskCommit
  case pipeRoundTrip
  case startup
  case transition
  case transitionInFlight
  case transitionStreamed
  case getStatus
  case getStatusInFlight
  case getStatusStreamed
  case notification
  case notificationInOtherProcess

  /// How many requests are kept in flight.
  ///
  /// Their lines fit into a pipe, so that writing never waits.
  static let inFlight = 256

  /// How many renders the requests go round.
  static let renders = 1_000

  var title: String {
    switch self {
    case .diskCommit: "SQLite alone, a commit"
    case .pipeRoundTrip: "a line to cat and back"
    case .startup: "start to first answer"
    case .transition: "transition"
    case .transitionInFlight: "transition, \(Self.inFlight) at once"
    case .transitionStreamed: "transition, streamed"
    case .getStatus: "getStatus"
    case .getStatusInFlight: "getStatus, \(Self.inFlight) at once"
    case .getStatusStreamed: "getStatus, streamed"
    case .notification: "answer to notification"
    case .notificationInOtherProcess: "… in another process"
    }
  }
}

/// What a measure came to.
struct BenchFigures: Sendable {
  let count: Int
  /// nil where what is measured is not done as fast as it can be.
  var perSecond: Double?
  /// nil where nobody waits for a single one.
  var latency: Latency?

  /// In microseconds.
  struct Latency: Sendable {
    let p50: Double
    let p99: Double
    let max: Double

    /// Of at least one time in nanoseconds.
    init(_ nanoseconds: [UInt64]) {
      let sorted = nanoseconds.sorted()
      func percentile(_ percent: Int) -> Double {
        Double(sorted[(sorted.count - 1) * percent / 100]) / 1_000
      }
      (p50, p99, max) = (percentile(50), percentile(99), percentile(100))
    }
  }
}

/// When a measure begins, and until when it goes on.
struct BenchWindow {
  private let start = Self.now
  private let end: UInt64

  init(milliseconds: Int64) {
    end = start + UInt64(milliseconds) * 1_000_000
  }

  /// Nanoseconds of a clock that is never set.
  static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

  var isOpen: Bool { Self.now < end }

  /// How many a second so many were, if the last is done now.
  func rate(_ count: Int) -> Double {
    Double(count) / (Double(Self.now - start) / 1e9)
  }
}
