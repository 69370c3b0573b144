internal import JSON
public import RenderModel

/// A write group under way: what it does is seen by its own reads, and by others after its commit.
public struct WriteTransaction {
  private let store: RenderStore
  /// The number of the last change in the log.
  private var head: Int64
  /// The changes made so far, in order.
  public private(set) var changes: [Change] = []
  private var hasLeases = false
  /// What the changes so far have ended.
  private var durations = Durations()

  var hasChanges: Bool { !changes.isEmpty || hasLeases }

  init(store: RenderStore, head: Int64) {
    self.store = store
    self.head = head
  }

  /// What came of a command.
  public enum Outcome: Sendable {
    case changed(Change, now: Render)
    case replayed(Past.KeyUse, now: Render)
    case refused(Refusal, now: Render)
  }

  /// Moves deadlines and leases along with the clock on the wall, if somebody has set it since the last
  /// group of any process; to be called before anything that takes a time.
  public func follow(_ clock: ClockReading) throws(StoreError) {
    try store.followClock(clock)
  }

  /// Loads the render, decides, and saves what was decided.
  public mutating func apply(
    _ command: Command,
    at now: Timestamp
  ) throws(StoreError) -> Outcome {
    let stored = try store.stored(command.id)
    let render = stored.render
    let past = try store.past(of: command, to: stored)
    let decision = Result { () throws(Refusal) in
      try render.deciding(command, given: past, at: now, seq: head + 1)
    }
    switch decision {
    case .failure(let refusal):
      return .refused(refusal, now: render)
    case .success(.replay(let use)):
      return .replayed(use, now: render)
    case .success(.change(let next, let change)):
      try store.save(next, replacing: stored)
      try store.append(change, by: command, after: render.seq)
      if let renderID = next.renderID, render.renderID?.hasSameBytes(as: renderID) != true {
        try store.remember(renderID: renderID, of: next.id)
      }
      head += 1
      durations.measure(change, since: render.startedAt, at: now)
      changes.append(change)
      return .changed(change, now: next)
    }
  }

  /// Counts how long what has ended took: once, at the end of the group.
  func saveDurations() throws(StoreError) {
    try store.add(durations)
  }

  /// Takes or renews a lease.
  ///
  /// - Returns: the lease as it is now, and whether the holder has it.
  public mutating func acquireLease(
    _ name: String,
    holder: String,
    milliseconds: Int64,
    at now: Timestamp
  ) throws(StoreError) -> (lease: Lease, isAcquired: Bool) {
    let current = try store.lease(name)
    let granted = Lease.granting(
      name,
      to: holder,
      milliseconds: milliseconds,
      current: current,
      at: now
    )
    if let granted {
      try store.save(granted)
      hasLeases = true
    }
    guard let lease = granted ?? current else {
      throw .defect("a lease neither granted nor held")
    }
    return (lease, granted != nil)
  }

  /// Frees a lease.
  ///
  /// - Returns: false if the holder has no live one.
  public mutating func releaseLease(
    _ name: String,
    holder: String,
    at now: Timestamp
  ) throws(StoreError) -> Bool {
    guard let lease = try store.lease(name), lease.isHeld(by: holder, at: now) else { return false }
    try store.save(lease.released())
    hasLeases = true
    return true
  }

  /// Fails every render whose deadline is past, up to a number of them.
  ///
  /// A render that was changed by hand may carry a deadline that is no longer its own; it is set
  /// right.
  public mutating func failOverdue(at now: Timestamp, limit: Int) throws(StoreError) {
    for render in try store.rendersPastDeadline(at: now, limit: limit) {
      guard let deadline = render.deadline, deadline.at <= now else {
        try store.saveDeadline(of: render)
        continue
      }
      let command = Command(
        id: render.id,
        action: .event(.fail),
        context: Context(error: deadline.error),
        actor: Change.watchdog
      )
      _ = try apply(command, at: now)
    }
  }
}
