internal import RenderModel

/// Counts what `Pruning` would remove, by reading, step by step.
public struct PruningForecast {
  /// So many changes, or the changes of so many renders, are looked at in a step.
  private static let page = 1_024

  private let store: RenderStore
  private let limits: PruningLimits
  private var states = State.allCases.filter(\.isTerminal)
  private var position = RenderStore.ListPosition(updatedAt: Timestamp(milliseconds: .min), seq: 0)
  /// What would go, as far as it has been counted.
  public private(set) var count = PrunedCount()
  /// The search for progress has come so far in the log.
  public private(set) var searched: Int64

  public init(_ store: RenderStore, _ limits: PruningLimits) throws(StoreError) {
    self.store = store
    self.limits = limits
    let place = try store.pruningPlace()
    searched = place.searched
    count.changes = try store.countChain(from: place.left)
  }

  /// How many renders have ended so long ago, and where the log ends that is old enough for progress
  /// to go; about.
  public func extent() throws(StoreError) -> (renders: Int64, seq: Int64) {
    try store.snapshot { () throws(StoreError) in
      var renders: Int64 = 0
      if let moment = limits.finished {
        for state in states { renders += try store.countFinished(state, until: moment) }
      }
      var range = LogRange(
        after: searched,
        upTo: limits.progress == nil ? searched : try store.head()
      )
      while let moment = limits.progress, range.after < range.upTo {
        let middle = range.after + (range.upTo - range.after) / 2
        let link = try store.links(after: middle, limit: 1).first
        if let link, link.at <= moment {
          range.after = link.seq
        } else {
          range.upTo = middle
        }
      }
      return (renders, range.upTo)
    }
  }

  /// Counts on.
  ///
  /// - Returns: whether there is nothing more to count.
  public mutating func step() throws(StoreError) -> Bool {
    guard let state = states.first, let moment = limits.finished else { return try countProgress() }
    let page = try store.finished(state, until: moment, behind: position, limit: Self.page)
    for render in page { count.changes += try store.countChain(from: render.seq) }
    count.renders += Int64(page.count)
    if let last = page.last, page.count == Self.page {
      position = last
    } else {
      states.removeFirst()
      position = RenderStore.ListPosition(updatedAt: Timestamp(milliseconds: .min), seq: 0)
    }
    return false
  }

  private mutating func countProgress() throws(StoreError) -> Bool {
    guard let moment = limits.progress else { return true }
    let links = try store.links(after: searched, limit: Self.page)
    for link in links {
      guard link.at <= moment else { return true }
      let isGoing = try store.isProgress(
        link.previous,
        ofOtherThanFinishedUntil: limits.finished
      )
      if isGoing { count.progress += 1 }
      searched = link.seq
    }
    return links.count < Self.page
  }
}
