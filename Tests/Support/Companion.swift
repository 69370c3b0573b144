internal import Foundation

/// A thread beside the test's own: the other side of what is tested.
public final class Companion<Outcome: Sendable>: @unchecked Sendable {
  private let ended = DispatchSemaphore(value: 0)
  private let lock = NSLock()
  private var value: Outcome?

  public init(_ body: @escaping @Sendable () -> Outcome) {
    let thread = Thread { [self] in
      let outcome = body()
      lock.withLock { value = outcome }
      ended.signal()
    }
    thread.stackSize = 4 << 20
    thread.start()
  }

  /// Waits until the thread has ended; once.
  public func outcome() -> Outcome? {
    ended.wait()
    return lock.withLock { value }
  }
}
