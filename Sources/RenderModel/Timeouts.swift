/// The three clocks of an attempt, in milliseconds; nil where one is off.
public struct Timeouts: Sendable, Equatable {
  /// The longest time in `queued`.
  public var queued: Int64?
  /// The longest time in `rendering` without an event.
  public var stall: Int64?
  /// The longest life of the attempt, time in the queue included.
  public var total: Int64?

  public static let off = Timeouts(queued: nil, stall: nil, total: nil)

  public init(queued: Int64?, stall: Int64?, total: Int64?) {
    self.queued = queued
    self.stall = stall
    self.total = total
  }
}

/// When an active render fails of itself, and by which clock.
public struct Deadline: Sendable, Equatable {
  public enum Clock: String, Sendable {
    case queued = "queuedMs"
    case stall = "stallMs"
    case total = "totalMs"
  }

  public let at: Timestamp
  public let clock: Clock
  /// The clock's value in milliseconds.
  public let limit: Int64

  /// The error of a render that failed so.
  public var error: String {
    let what =
      switch clock {
      case .queued: "still queued after"
      case .stall: "no event for"
      case .total: "not finished within"
      }
    return "Timed out by \(clock.rawValue) \(limit): \(what) \(limit) ms"
  }
}

extension Render {
  /// The first of the deadlines of an active render that had its last event then; nil where all clocks are off.
  public func deadline(afterEventAt event: Timestamp) -> Deadline? {
    guard state.isActive else { return nil }
    var first: Deadline?
    func consider(_ clock: Deadline.Clock, _ limit: Int64?, since start: Timestamp) {
      guard let limit else { return }
      let at = start.advanced(by: limit)
      if first.map({ at < $0.at }) ?? true { first = Deadline(at: at, clock: clock, limit: limit) }
    }
    if state == .queued { consider(.queued, timeouts.queued, since: startedAt) }
    if state == .rendering { consider(.stall, timeouts.stall, since: event) }
    consider(.total, timeouts.total, since: startedAt)
    return first
  }

  /// The deadline that falls at a moment which was worked out before; nil where all clocks are off.
  ///
  /// Which clock's it is can be told without the time of the last event, which is not that of `updatedAt`
  /// where the clock on the wall was set.
  public func deadline(at moment: Timestamp) -> Deadline? {
    guard let first = deadline(afterEventAt: moment) else { return nil }
    // Not the total's, so it was counted from the last event.
    guard first.at != moment, state == .rendering, let stall = timeouts.stall else { return first }
    return Deadline(at: moment, clock: .stall, limit: stall)
  }
}
