internal import RenderModel
internal import RenderStore

/// How long a store keeps what is done with, in milliseconds; nil: for ever.
public struct Retention: Sendable {
  /// Renders that have ended, with their log.
  public var finished: Int64?
  /// Progress in the log of the others.
  public var progress: Int64?

  public init(finished: Int64? = nil, progress: Int64? = nil) {
    self.finished = finished
    self.progress = progress
  }
}

/// Prunes the store beside the requests, in small steps with long rests.
///
/// Every sidecar of a store does it, each step on from where the last one of any of them has come: who
/// looks first finds the work, the others none.
struct RetentionKeeper {
  /// For so long nothing is looked for, at most and at least.
  private static let longestInterval: Int64 = 60_000
  private static let shortestInterval: Int64 = 1_000
  /// After a step there is a rest of so many times its length.
  private static let rest = 9
  private static let shortestRest = Duration.milliseconds(10)
  /// So long the locks are waited for; then it is for later.
  private static let patience = Duration.milliseconds(250)

  private let retention: Retention
  private let interval: Duration
  private var next = ContinuousClock.now
  /// What is under way.
  private var pruning: Pruning?

  /// nil where all is kept for ever.
  init?(_ retention: Retention) {
    guard let shortest = [retention.finished, retention.progress].compactMap({ $0 }).min() else {
      return nil
    }
    self.retention = retention
    interval = .milliseconds(min(max(shortest / 10, Self.shortestInterval), Self.longestInterval))
  }

  /// How long there is nothing to do.
  var millisecondsToWait: Int64 {
    Int64(max(.zero, ContinuousClock.now.duration(to: next)) / .milliseconds(1)) + 1
  }

  /// Whether it is time to look, or for the next step.
  var isDue: Bool { ContinuousClock.now >= next }

  /// Takes a step, if there is something to do.
  mutating func prune(_ store: RenderStore, at now: Timestamp) throws(StoreError) {
    next = .now.advanced(by: interval)
    func moment(_ age: Int64?) -> Timestamp? {
      age.map { now.advanced(by: -max($0, PruningLimits.leastAge)) }
    }
    let limits = PruningLimits(
      finished: moment(retention.finished),
      progress: moment(retention.progress)
    )
    if pruning == nil {
      let found = try Pruning(store, limits)
      guard try found.hasWork() else { return }
      pruning = found
    }
    do throws(StoreError) {
      guard let step = try pruning?.step(waiting: Self.patience) else { return }
      if step.isLast {
        pruning = nil
      } else {
        next = .now.advanced(by: max(step.pause * Self.rest, Self.shortestRest))
      }
    } catch {
      pruning = nil
      guard error.isBusy else { throw error }
      next = .now.advanced(by: .milliseconds(Self.shortestInterval))
    }
  }
}
