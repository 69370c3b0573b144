public import Foundation

/// Something did not come for so long that it never will.
public struct TookTooLong: Error, CustomStringConvertible {
  let what: String

  public var description: String { "\(what) did not come within \(Patience.limit)" }
}

/// What was received is not what was waited for.
public struct Unexpected: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) {
    self.description = description
  }
}

/// Ends a wait that would last for ever, so that its test fails.
///
/// No test passes or fails by how long something takes: the limit is far beyond all of it.
public enum Patience {
  static let limit = Duration.seconds(300)

  /// Runs a body that waits.
  ///
  /// If it takes too long `giveUp` is called, on another thread: it has to make the body return.
  ///
  /// - Throws: what the body throws, or `TookTooLong`.
  public static func waiting<Result>(
    for what: String,
    giveUp: @escaping @Sendable () -> Void,
    _ body: () throws -> Result
  ) throws -> Result {
    let number = AlarmClock.shared.set(giveUp)
    let result = Swift.Result { try body() }
    guard AlarmClock.shared.cancel(number) else { throw TookTooLong(what: what) }
    return try result.get()
  }
}

extension Date {
  /// When a wait that begins now counts as one for ever.
  public static var whenPatienceEnds: Date {
    Date(timeIntervalSinceNow: Patience.limit / .seconds(1))
  }
}

/// One thread that calls what is due.
private final class AlarmClock: @unchecked Sendable {
  static let shared = AlarmClock()

  private let condition = NSCondition()
  private var alarms: [Int: (at: Date, ring: @Sendable () -> Void)] = [:]
  private var lastNumber = 0

  private init() {
    let thread = Thread { [self] in
      while true {
        for ring in waitForDue() { ring() }
      }
    }
    thread.name = "alarm clock"
    thread.start()
  }

  func set(_ ring: @escaping @Sendable () -> Void) -> Int {
    condition.withLock {
      lastNumber += 1
      if alarms.isEmpty { condition.broadcast() }
      alarms[lastNumber] = (.whenPatienceEnds, ring)
      return lastNumber
    }
  }

  /// - Returns: false if it has rung.
  func cancel(_ number: Int) -> Bool {
    condition.withLock { alarms.removeValue(forKey: number) != nil }
  }

  private func waitForDue() -> [@Sendable () -> Void] {
    condition.withLock {
      // Every alarm is set for the same time ahead: one set meanwhile is not earlier.
      if let first = alarms.values.map(\.at).min() {
        _ = condition.wait(until: first)
      } else {
        condition.wait()
      }
      let now = Date()
      let due = alarms.filter { $1.at <= now }
      for number in due.keys { alarms[number] = nil }
      return due.values.map(\.ring)
    }
  }
}

/// Opens once; whoever waits before waits until then.
final class Latch: @unchecked Sendable {
  private let condition = NSCondition()
  private var isOpen = false

  func open() {
    condition.withLock {
      isOpen = true
      condition.broadcast()
    }
  }

  func wait(for what: String) throws {
    let deadline = Date.whenPatienceEnds
    try condition.withLock {
      while !isOpen {
        guard condition.wait(until: deadline) || isOpen else { throw TookTooLong(what: what) }
      }
    }
  }
}
