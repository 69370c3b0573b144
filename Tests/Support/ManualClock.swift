public import RenderModel
public import Sidecar
internal import Synchronization

/// A clock that stands still until a test moves it.
public final class ManualClock: Clock {
  private let milliseconds: Mutex<Int64>

  /// - Parameter milliseconds: where it stands at first; by default 2026-11-22T12:00:00Z.
  public init(milliseconds: Int64 = 1_795_348_800_000) {
    self.milliseconds = Mutex(milliseconds)
  }

  public func now() -> Timestamp {
    Timestamp(milliseconds: milliseconds.withLock { $0 })
  }

  public func advance(milliseconds: Int64) {
    self.milliseconds.withLock { $0 += milliseconds }
  }
}
