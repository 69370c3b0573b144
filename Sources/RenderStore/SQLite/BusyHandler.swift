internal import Glibc
internal import Synchronization

/// Waits where another connection has a lock of SQLite's (sqlite.org/c3ref/busy_handler.html).
///
/// SQLite's own waits to the end of its time, whatever happens meanwhile.
final class BusyHandler: Sendable {
  private struct Limits {
    /// That of a wait which began before SQLite was called.
    var shared: WaitLimit?
    var own: WaitLimit
  }

  private let timeout: Duration
  private let stop: StopNotice
  private let limits: Mutex<Limits>
  private static let pauses = [1, 2, 5, 10, 15, 20, 25].map(Duration.milliseconds)

  init(timeout: Duration, stop: StopNotice) {
    self.timeout = timeout
    self.stop = stop
    limits = Mutex(Limits(own: WaitLimit(timeout, stop: stop)))
  }

  /// Lets the next waits share a limit; with nil each has the whole timeout again.
  func share(_ limit: WaitLimit?) {
    limits.withLock { $0.shared = limit }
  }

  /// Waits a little, after so many tries for the same lock.
  ///
  /// - Returns: false if the time is up.
  func wait(afterTries tries: Int) -> Bool {
    let limit = limits.withLock { limits in
      if tries == 0 { limits.own = WaitLimit(timeout, stop: stop) }
      return limits.shared ?? limits.own
    }
    let pause = min(limit.nextWait, Self.pauses[min(tries, Self.pauses.count - 1)])
    usleep(UInt32(pause / .microseconds(1)))
    return pause > .zero
  }
}
