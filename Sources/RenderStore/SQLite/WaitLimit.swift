/// Until when locks are waited for: for so long, and no longer than a process has that is to stop.
struct WaitLimit: Sendable {
  private let end: ContinuousClock.Instant
  private let stop: StopNotice

  /// How long a stop may go unnoticed.
  private static let lookout = Duration.milliseconds(25)

  init(_ duration: Duration, stop: StopNotice = StopNotice()) {
    end = .now + min(duration, .seconds(Int32.max))
    self.stop = stop
  }

  /// How long to wait before this is asked again; zero when the time is up.
  var nextWait: Duration {
    var left = end - .now
    if let limit = stop.limit { left = min(left, limit - .now) }
    return min(max(left, .zero), Self.lookout)
  }
}
