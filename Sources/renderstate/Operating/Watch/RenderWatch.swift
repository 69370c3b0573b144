internal import ArgumentParser
internal import Glibc
internal import JSON
internal import RenderModel
internal import RenderStore

/// Where a watch is shown; `settle` may be called from another thread at any time.
protocol WatchScreen: Sendable {
  /// Shows the renders that are watched, or the active ones.
  func begin(with renders: [Render]) throws
  /// Shows changes, in order; those that are no news were not asked for, and only change what is
  /// drawn.
  func show(_ changes: [(change: Change, isNews: Bool)]) throws
  /// Ends what moves.
  func settle()
}

/// The log, followed from now on.
struct RenderWatch {
  /// How often the log is looked at though nothing told of a commit, in milliseconds: a program that
  /// writes without our gate marks none.
  private static let tick: Int32 = 250
  private static let page = 500
  /// The most active renders that are shown at the beginning.
  private static let activeLimit = 1_000

  private let store: RenderStore
  private let ids: [String]
  private let states: Set<State>
  private let filter: ChangeFilter
  private let commits: CommitWatch?
  /// The changes up to this one have been shown.
  private var position: Int64 = 0
  /// The named renders, as they are at this position.
  private var stateOfID: [ExactText: State] = [:]

  init(store: RenderStore, ids: [String], states: [State]) {
    self.store = store
    self.ids = ids
    self.states = Set(states)
    filter = ChangeFilter(ids: ids.isEmpty ? nil : ids, states: nil)
    commits = store.makeCommitWatch()
  }

  /// Shows what happens, for ever or until all of the named renders are in a terminal state.
  ///
  /// - Returns: whether one of them has failed.
  mutating func follow(on screen: any WatchScreen, untilTerminal: Bool) throws -> Bool {
    let renders: [Render]
    (position, renders) = try store.snapshot { () throws(StoreError) in
      (try store.head(), try firstRenders())
    }
    if !ids.isEmpty {
      for render in renders { stateOfID[ExactText(render.id)] = render.state }
    }
    try screen.begin(with: renders)
    while !(untilTerminal && stateOfID.values.allSatisfy(\.isTerminal)) {
      // Before the log is read: a commit after that leaves a mark.
      commits?.clear()
      if try !showPage(on: screen, untilTerminal) { try wait() }
    }
    return stateOfID.values.contains(.failed)
  }

  private func firstRenders() throws(StoreError) -> [Render] {
    guard ids.isEmpty else { return try store.renders(ids) }
    let active = State.allCases.filter { $0.isActive && (states.isEmpty || states.contains($0)) }
    let ever = Timestamp(milliseconds: .max)
    return try store.listQuiet(active, since: ever, limit: Self.activeLimit)
  }

  /// Shows the next changes.
  ///
  /// - Returns: false if there are none.
  private mutating func showPage(
    on screen: any WatchScreen,
    _ untilTerminal: Bool
  ) throws -> Bool {
    let head = try store.head()
    guard head > position else { return false }
    let range = LogRange(after: position, upTo: head)
    var changes = try store.changes(matching: filter, in: range, limit: Self.page)
    position = changes.count == Self.page ? changes[Self.page - 1].seq : head
    for (index, change) in changes.enumerated() where !ids.isEmpty {
      stateOfID[ExactText(change.id)] = change.state
      guard untilTerminal, stateOfID.values.allSatisfy(\.isTerminal) else { continue }
      // What comes after the end is not shown any more.
      changes.removeSubrange((index + 1)...)
      break
    }
    try screen.show(changes.map { ($0, states.isEmpty || states.contains($0.state)) })
    return true
  }

  /// Waits for a commit.
  ///
  /// - Throws: the exit code where nobody reads the output any more.
  private func wait() throws {
    var polled = [
      pollfd(fd: commits?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: STDOUT_FILENO, events: 0, revents: 0),
    ]
    poll(&polled, 2, Self.tick)
    if polled[1].revents & Int16(POLLERR | POLLHUP) != 0 { throw ExitCode.unread }
  }
}
