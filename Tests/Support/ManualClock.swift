public import RenderModel
public import Sidecar
internal import Synchronization

/// A clock that stands still until a test moves it.
public final class ManualClock: Clock {
  private let times: Mutex<(wall: Int64, sinceBoot: Int64)>
  private let boot: String

  /// - Parameters:
  ///   - milliseconds: where it stands at first; by default 2026-11-22T12:00:00Z.
  ///   - boot: the start of the machine that it runs since.
  public init(milliseconds: Int64 = 1_795_348_800_000, boot: String = "by hand") {
    times = Mutex((milliseconds, 1_000_000))
    self.boot = boot
  }

  public func now() -> Timestamp {
    reading().wall
  }

  public func reading() -> ClockReading {
    let (wall, sinceBoot) = times.withLock { $0 }
    return ClockReading(wall: Timestamp(milliseconds: wall), sinceBoot: sinceBoot, boot: boot)
  }

  /// Lets time pass.
  public func advance(milliseconds: Int64) {
    times.withLock { $0 = ($0.wall + milliseconds, $0.sinceBoot + milliseconds) }
  }

  /// Sets the clock forward, or backward if less than 0, while no time passes.
  public func set(forward milliseconds: Int64) {
    times.withLock { $0.wall += milliseconds }
  }
}
