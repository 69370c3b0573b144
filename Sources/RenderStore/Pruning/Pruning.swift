public import RenderModel

/// What is old enough to be pruned.
public struct PruningLimits: Sendable {
  /// What is younger than this, in milliseconds, should not be pruned: subscribers may not have heard of
  /// it yet.
  public static let leastAge: Int64 = 2_000

  /// Renders that ended at this moment or before go, with all their changes; nil keeps them.
  public var finished: Timestamp?
  /// Progress made at this moment or before goes from the log of renders that stay, unless it is a
  /// change of state or what the render did last before that moment; nil keeps it.
  public var progress: Timestamp?

  public init(finished: Timestamp?, progress: Timestamp?) {
    self.finished = finished
    self.progress = progress
  }
}

/// How much has gone, or would.
public struct PrunedCount: Sendable, Equatable {
  public var renders: Int64 = 0
  /// The changes of these renders.
  public var changes: Int64 = 0
  /// The changes of progress of other renders.
  public var progress: Int64 = 0

  public init() {}
}

/// Takes what is old out of a store that others use, step by step.
///
/// Each step is a commit of its own, small enough that nobody waits for it: it ends when its time is
/// over, and the next one does less if the commit took long. Killed between two of them, it has left
/// a sound store, and whoever prunes next goes on.
///
/// - A render that ended goes in one step, and then its log, from its newest change downwards; if a
///   step does not suffice, the place where the next one goes on is in the store. Its version
///   and its renderIds are kept, so that what was sent to the old render never touches the next one.
/// - Progress is searched in the log from the place where the last search ended. What is right before a
///   change in its render's chain is taken out of the chain: so the newest change of each render stays,
///   and nobody has to look for who follows on whom.
/// - The newest change of the log stays with its render: it says which number comes next.
public struct Pruning {
  /// What came of a step.
  public struct Step: Sendable {
    /// Whether there is no more to do.
    public let isLast: Bool
    /// How long the gate was held.
    public let pause: Duration
  }

  /// A step is to do no more after this.
  private static let stepTime = Duration.milliseconds(2)
  /// If a step with its commit took longer, the next one does half as much.
  private static let longestPause = Duration.milliseconds(4)
  private static let leastSize = 64
  private static let largestSize = 1 << 16

  private let store: RenderStore
  private let limits: PruningLimits
  /// What has gone so far.
  public private(set) var count = PrunedCount()
  /// The search for progress has come so far in the log.
  public private(set) var searched: Int64
  /// So many changes are looked at in the next step, at most.
  var size = 1_024

  public init(_ store: RenderStore, _ limits: PruningLimits) throws(StoreError) {
    self.store = store
    self.limits = limits
    searched = try store.pruningPlace().searched
  }

  /// Whether there is something to do, found by reading.
  public func hasWork() throws(StoreError) -> Bool {
    try store.snapshot { () throws(StoreError) in
      let place = try store.pruningPlace()
      if place.left > 0 { return true }
      if let moment = limits.finished, try store.firstFinished(until: moment) != nil { return true }
      guard let moment = limits.progress else { return false }
      return try store.links(after: place.searched, limit: 1).contains { $0.at <= moment }
    }
  }

  /// Takes the next step.
  ///
  /// - Parameter limit: how long the locks are waited for; nil for as long as the store's options say.
  /// - Returns: whether it was the last one, and how long others had to wait for it.
  /// - Throws: why it was not done; what was done before stays.
  public mutating func step(waiting limit: Duration? = nil) throws(StoreError) -> Step {
    let clock = ContinuousClock()
    var began = clock.now
    var work = PruningStep(store: store, limits: limits, size: size)
    let (place, isLast) = try store.write(
      { _ throws(StoreError) in
        began = clock.now
        return try work.run(until: began.advanced(by: Self.stepTime))
      },
      waiting: limit
    )
    let pause = began.duration(to: clock.now)
    searched = place.searched
    count.renders += work.count.renders
    count.changes += work.count.changes
    count.progress += work.count.progress
    if pause > Self.longestPause {
      size = max(size / 2, Self.leastSize)
    } else if work.isSpent, pause < Self.stepTime {
      size = min(size + size / 4, Self.largestSize)
    }
    return Step(isLast: isLast, pause: pause)
  }
}

/// One step, within a transaction.
private struct PruningStep {
  /// So many changes are read at once.
  private static let page = 64

  private let store: RenderStore
  private let limits: PruningLimits
  private var changesLeft: Int
  private var end = ContinuousClock.now
  private var newest = NewestPruned()
  private(set) var count = PrunedCount()

  init(store: RenderStore, limits: PruningLimits, size: Int) {
    self.store = store
    self.limits = limits
    changesLeft = size
  }

  /// Whether it has looked at as many changes as it may.
  var isSpent: Bool { changesLeft <= 0 }

  private var hasRoom: Bool { !isSpent && ContinuousClock.now < end }

  /// - Returns: the place where the next step goes on, and whether none is needed.
  mutating func run(
    until end: ContinuousClock.Instant
  ) throws(StoreError) -> (PruningPlace, isLast: Bool) {
    self.end = end
    let before = try store.pruningPlace()
    var place = before
    var isLast = try removeFinished(&place)
    if isLast { isLast = try removeProgress(&place) }
    let changes = count.changes + count.progress
    if place != before || changes > 0 { try store.save(place, adding: changes) }
    if !newest.isEmpty { try store.save(newest) }
    return (place, isLast)
  }

  // MARK: - Renders

  /// - Returns: whether none is left to remove.
  private mutating func removeFinished(_ place: inout PruningPlace) throws(StoreError) -> Bool {
    while true {
      try removeChanges(&place)
      guard place.left == 0 else { return false }
      guard let moment = limits.finished, let render = try store.firstFinished(until: moment) else {
        return true
      }
      guard hasRoom else { return false }
      try store.delete(render)
      count.renders += 1
      place.left = render.seq
    }
  }

  /// Removes what is left of the log of a render that is gone.
  private mutating func removeChanges(_ place: inout PruningPlace) throws(StoreError) {
    var newest = NewestPruned()
    var id: String?
    while place.left > 0, hasRoom {
      guard let change = try store.deleteChange(place.left) else {
        throw .damaged("a change that follows on none, \(place.left)")
      }
      newest.note(place.left, change.state)
      if let pruned = change.pruned { newest.note(pruned, .rendering) }
      id = change.id
      place.left = change.previous
      count.changes += 1
      changesLeft -= 1
    }
    guard let id else { return }
    try store.save(newest, of: id)
    self.newest.note(newest)
  }

  // MARK: - Progress

  /// - Returns: whether all of the log that is old enough has been searched.
  private mutating func removeProgress(_ place: inout PruningPlace) throws(StoreError) -> Bool {
    guard let moment = limits.progress else { return true }
    while hasRoom {
      let links = try store.links(after: place.searched, limit: Self.page)
      for link in links {
        guard link.at <= moment else { return true }
        guard hasRoom else { return false }
        try removeProgress(before: link)
        place.searched = link.seq
        changesLeft -= 1
      }
      guard links.count == Self.page else { return true }
    }
    return false
  }

  private mutating func removeProgress(before link: ChangeLink) throws(StoreError) {
    var previous = link.previous
    while previous > 0, let next = try store.deleteProgress(previous) {
      previous = next
      count.progress += 1
      changesLeft -= 1
    }
    guard previous != link.previous else { return }
    try store.relink(link.seq, to: previous, pruned: link.previous)
    newest.note(link.previous, .rendering)
  }
}
