internal import Synchronization

/// Tells a store, from any thread, that its process is to stop: the locks of other processes are then waited for no
/// longer than there is time.
public final class StopNotice: Sendable {
  private let end = Mutex<ContinuousClock.Instant?>(nil)

  public init() {}

  /// From now on locks are waited for so long in all, by who waits already, too; of several limits the
  /// first to end counts.
  public func limitWaits(to duration: Duration) {
    let new = ContinuousClock.now + duration
    end.withLock { $0 = min($0 ?? new, new) }
  }

  /// When locks are not waited for any longer; nil where there is no hurry.
  var limit: ContinuousClock.Instant? {
    end.withLock { $0 }
  }
}
