import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("Pruning")
struct PruningTests {
  private let bench: Bench
  private var store: RenderStore { bench.store }

  init() throws {
    bench = try Bench()
  }

  /// Does whatever comes to some renders, seeded, a few changes in the same moment.
  private func fill(_ random: inout SplitMix64, steps: Int, ids: Int) throws {
    for _ in 0..<steps {
      if random.below(3) == 0 { bench.now = bench.now.advanced(by: 1) }
      // Mostly progress, so that renders last.
      let events: [Event] = [.start, .progress, .progress, .progress, .progress, .complete, .fail]
      let isNewRun = random.below(20) == 0
      try bench.send(
        isNewRun ? .regenerate : .event(events[random.below(events.count)]),
        to: "video \(random.below(ids))",
        key: random.below(4) == 0 ? "key \(random.below(400))" : nil
      )
    }
  }

  /// Prunes to the end, in steps of some changes.
  @discardableResult
  private func prune(
    finished: Timestamp? = nil,
    progress: Timestamp? = nil,
    size: Int = 256,
    between: () throws -> Void = {}
  ) throws -> PrunedCount {
    var pruning = try Pruning(store, PruningLimits(finished: finished, progress: progress))
    pruning.size = size
    while try !pruning.step().isLast { try between() }
    #expect(try !pruning.hasWork())
    return pruning.count
  }

  private func forecast(_ limits: PruningLimits) throws -> PrunedCount {
    var forecast = try PruningForecast(store, limits)
    while try !forecast.step() {}
    return forecast.count
  }

  // MARK: - What goes and what stays

  /// What is to be left of a log: the rules, said once more and by brute force.
  private func expected(_ log: [Change], _ limits: PruningLimits) -> [Change] {
    guard let head = log.last else { return [] }
    var newest: [String: Change] = [:]
    for change in log { newest[change.id] = change }
    func isGone(_ id: String) -> Bool {
      guard let moment = limits.finished, let last = newest[id] else { return false }
      return last.state.isTerminal && last.at <= moment && last.seq != head.seq
    }
    let stays = log.filter { !isGone($0.id) }
    guard let moment = limits.progress else { return stays }
    let old = stays.prefix { $0.at <= moment }
    var follower: [String: Bool] = [:]
    var gone: Set<Int64> = []
    for change in old.reversed() {
      if change.event == .progress, change.previousState == .rendering, follower[change.id] == true
      {
        gone.insert(change.seq)
      }
      follower[change.id] = true
    }
    return stays.filter { !gone.contains($0.seq) }
  }

  @Test("old renders and old progress go, everything else is read as before", arguments: 0..<6)
  func everything(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    try fill(&random, steps: 1_500, ids: 25)
    let ids = (0..<25).map { "video \($0)" }
    let before = try store.log()
    let statuses = try store.renders(ids)
    func moment() -> Timestamp { bench.now.advanced(by: -Int64(random.below(300))) }
    let limits = PruningLimits(
      finished: seed % 3 == 0 ? nil : moment(),
      progress: seed % 3 == 1 ? nil : moment()
    )
    let left = expected(before, limits)
    #expect(left.count < before.count)

    let foreseen = try forecast(limits)
    let count = try prune(
      finished: limits.finished,
      progress: limits.progress,
      size: [1, 7, 256][seed % 3]
    )
    #expect(count == foreseen)
    #expect(Int(count.changes + count.progress) == before.count - left.count)
    #expect(try store.log().map(\.seq) == left.map(\.seq))
    #expect(try store.head() == before.last?.seq)

    let gone = Set(before.map(\.id)).subtracting(left.map(\.id))
    #expect(Int(count.renders) == gone.count)
    for status in statuses {
      let now = try store.render(status.id)
      #expect(now.version == (gone.contains(status.id) ? 0 : status.version))
      #expect(now.state == (gone.contains(status.id) ? .idle : status.state))
    }
    try expectHistories(of: ids, left, &random)
    try expectFilters(ids, before, left, &random)
    let shell = try Shell(bench.path)
    #expect(try shell.rows("PRAGMA integrity_check") == ["\"ok\""])
    #expect(try prune(finished: limits.finished, progress: limits.progress) == PrunedCount())
    try expectSoundLog()
    try fill(&random, steps: 200, ids: 25)
    try expectSoundLog()
  }

  /// Expects that whoever examines the database finds nothing missing.
  private func expectSoundLog() throws {
    let replay = try StoreReader(path: bench.path).replay()
    #expect(replay.faults.map(\.what) == [])
    #expect(replay.missing == 0)
  }

  private func expectHistories(
    of ids: [String],
    _ left: [Change],
    _ random: inout SplitMix64
  ) throws {
    for id in ids {
      let changes = left.filter { $0.id == id }
      let limit = 1 + random.below(40)
      #expect(
        try store.latestChanges(of: id, limit: limit).map(\.seq) == changes.suffix(limit).map(\.seq)
      )
      var seqs: [Int64] = []
      while true {
        let page = try store.history(of: id, after: seqs.last ?? 0, limit: limit)
        seqs += page.map(\.seq)
        guard page.count == limit else { break }
      }
      #expect(seqs == changes.map(\.seq))
    }
  }

  /// Expects that filters find what is left, and tell when something is missing.
  private func expectFilters(
    _ all: [String],
    _ before: [Change],
    _ left: [Change],
    _ random: inout SplitMix64
  ) throws {
    let pruned = before.filter { change in !left.contains { $0.seq == change.seq } }
    for _ in 0..<200 {
      let some = Set((0...random.below(3)).map { _ in all[random.below(25)] })
      let ids = random.below(3) == 0 ? nil : Array(some)
      let states =
        random.below(3) == 0
        ? nil : (0...random.below(2)).map { _ in State.allCases[random.below(5)] }
      let filter = ChangeFilter(ids: ids, states: states)
      let after = Int64(random.below(before.count + 1))
      func matches(_ change: Change) -> Bool {
        change.seq > after && ids?.contains(change.id) != false
          && states?.contains(change.state) != false
      }
      let range = LogRange(after: after, upTo: .max)
      let found = try store.changes(matching: filter, in: range, limit: .max)
      #expect(found.map(\.seq) == left.filter(matches).map(\.seq))
      let hasGap = try store.hasPruned(matching: filter, after: after)
      #expect(hasGap == pruned.contains(where: matches), "\(ids ?? []) \(states ?? []) \(after)")
    }
  }

  @Test("others go on between the steps: each chain is whole, and no change of state is missing")
  func besideOthers() throws {
    var random = SplitMix64(seed: 5)
    try fill(&random, steps: 1_000, ids: 20)
    let start = bench.now
    var other = SplitMix64(seed: 6)
    try prune(finished: start, progress: start.advanced(by: 50), size: 3) {
      try fill(&other, steps: 4, ids: 20)
    }
    let log = try store.log()
    for id in (0..<20).map({ "video \($0)" }) {
      let changes = log.filter { $0.id == id }
      #expect(try store.history(of: id, after: 0, limit: 5_000).map(\.seq) == changes.map(\.seq))
      #expect(changes.last?.version ?? 0 == (try store.render(id).version))
      var before: Change?
      for change in changes {
        if let before {
          let isNewRun = change.previousState == .idle
          #expect(isNewRun || change.previousState == before.state)
          #expect(change.version == before.version + 1 || before.state == .rendering)
        } else {
          #expect(change.previousState == .idle)
        }
        before = change
      }
    }
  }

  @Test("the newest change of the log stays, and the next one gets the next number")
  func newestStays() throws {
    try bench.take(.start, .fail, of: "first")
    try bench.take(.start, .progress, .progress, .complete)
    #expect(try prune(finished: bench.now, progress: bench.now).renders == 1)
    #expect(try store.log().map(\.event) == [.start, .progress, .complete])
    #expect(try store.render("video").state == .completed)
    #expect(try bench.send(.event(.start), to: "first").change?.seq == 7)
    #expect(try prune(finished: bench.now).renders == 1)
    #expect(try store.log().map(\.seq) == [7])
    try bench.reopen()
    #expect(try bench.send(.event(.progress), to: "first").change?.seq == 8)
  }

  @Test("what is younger stays, to the millisecond")
  func ages() throws {
    let start = bench.now
    for id in ["a", "b"] {
      try bench.take(.start, .fail, of: id)
      bench.now = bench.now.advanced(by: 1)
    }
    try bench.take(.start, of: "c")
    #expect(try prune(finished: start.advanced(by: -1)).renders == 0)
    #expect(try prune(finished: start).renders == 1)
    #expect(try store.render("b").state == .failed)
    #expect(try prune(finished: start.advanced(by: 1)).renders == 1)
    #expect(try prune(finished: start.advanced(by: 9_999)).renders == 0)
  }

  // MARK: - An id that was pruned

  @Test("a pruned id is idle, and its next start goes on counting: no old version holds again")
  func versions() throws {
    try bench.send(.event(.start), Context(renderID: "r1"), key: "k")
    try bench.take(.progress, .complete)
    try bench.take(.start, of: "other")
    try prune(finished: bench.now)
    let idle = try store.render("video")
    #expect((idle.state, idle.version, idle.run, idle.seq) == (.idle, 0, 0, 0))
    #expect(try store.history(of: "video", after: 0, limit: 9).isEmpty)
    for version in [1, 2, 3] {
      let expected = Expectations(version: Int64(version))
      #expect(try bench.send(.event(.start), expected: expected).change == nil)
    }
    bench.now = bench.now.advanced(by: 7)
    let outcome = try bench.send(.event(.start), expected: Expectations(version: 0), key: "k")
    let change = try #require(outcome.change)
    #expect((change.version, change.run, change.attempt) == (4, 1, 1))
    #expect(change.previousState == .idle)
    #expect(outcome.render.createdAt == bench.now)
    try bench.reopen()
    #expect(try bench.send(.event(.progress)).change?.version == 5)
    try bench.take(.fail)
    try bench.take(.progress, of: "other")
    try prune(finished: bench.now)
    #expect(try bench.send(.regenerate).change?.version == 7)
  }

  @Test("a renderId of a pruned render is still an old one's")
  func fencing() throws {
    try bench.send(.event(.start), Context(renderID: "r1"))
    try bench.take(.fail)
    try bench.take(.start, of: "other")
    try prune(finished: bench.now)
    try bench.take(.start)
    let stale = try bench.send(.event(.progress), Context(renderID: "r1"))
    #expect(stale.refusal == .staleRender(renderID: "r1"))
    #expect(try bench.send(.event(.progress), Context(renderID: "r2")).change?.version == 4)
  }

  @Test("in a SQL shell the log is still not edited, and a pruned id begins where it counts on")
  func byHand() throws {
    try bench.take(.start, .progress, .progress, .fail)
    try bench.take(.start, .progress, .progress, of: "other")
    try prune(finished: bench.now, progress: bench.now)
    let shell = try Shell(bench.path)
    #expect(shell.error(of: "DELETE FROM transitions")?.contains("nothing is deleted") == true)
    #expect(
      shell.error(of: "UPDATE transitions SET pruned_seq = 1")?.contains("not edited") == true
    )
    func insert(version: Int) -> String {
      """
      INSERT INTO renders (id, state, event, progress, metadata, run, attempt, version, seq,
        created_at, updated_at, started_at)
      SELECT 'video', 'queued', 'start', 0, '{}', 1, 1, \(version), max(seq) + 1, 1, 1, 1
      FROM transitions
      """
    }
    #expect(shell.error(of: insert(version: 1))?.contains("where it was pruned") == true)
    try shell.run(insert(version: 5))
    #expect(try store.render("video").version == 5)
    #expect(try store.history(of: "video", after: 0, limit: 9).map(\.seq) == [8])
  }

  // MARK: - Steps

  @Test("a long log goes in several steps; half of it is a gap for everybody, and never a history")
  func longLog() throws {
    try store.write { transaction throws(StoreError) in
      for number in 0..<2_000 {
        let event: Event = number % 2 == 0 ? .start : .fail
        let command = Command(id: "video", action: .event(event))
        _ = try transaction.apply(command, at: Bench.noon)
      }
    }
    try bench.take(.start, of: "other")
    var pruning = try Pruning(store, PruningLimits(finished: bench.now, progress: nil))
    #expect(try !pruning.step().isLast)
    #expect(try store.render("video").state == .idle)
    #expect(try store.history(of: "video", after: 0, limit: 9).isEmpty)
    for ids in [["video"], ["other"]] {
      let filter = ChangeFilter(ids: ids, states: [.completed])
      #expect(try store.hasPruned(matching: filter, after: 1))
    }
    try expectSoundLog()
    // Killed here; the id is used again, and whoever prunes next, for whatever, goes on.
    try bench.reopen()
    #expect(try bench.send(.event(.start)).change?.version == 2_001)
    try prune(progress: Timestamp(milliseconds: 0))
    #expect(try store.log().map(\.seq) == [2_001, 2_002])
    try expectSoundLog()
    #expect(try store.history(of: "video", after: 0, limit: 9).map(\.seq) == [2_002])
    #expect(try !store.hasPruned(matching: ChangeFilter(ids: ["other"], states: nil), after: 1))
    let queued = ChangeFilter(ids: ["video"], states: [.queued])
    #expect(try store.hasPruned(matching: queued, after: 1_998))
    #expect(try !store.hasPruned(matching: queued, after: 1_999))
  }

  @Test("a history has all its pages, though most of its entries are pruned")
  func historyPages() throws {
    try store.write { transaction throws(StoreError) in
      for number in 0..<3_000 {
        let event: Event = number == 0 ? .start : .progress
        let at = Bench.noon.advanced(by: Int64(number))
        _ = try transaction.apply(Command(id: "video", action: .event(event)), at: at)
      }
    }
    try prune(progress: Bench.noon.advanced(by: 2_000))
    var seqs: [Int64] = []
    for _ in 0..<3 {
      seqs += try store.history(of: "video", after: seqs.last ?? 0, limit: 400).map(\.seq)
    }
    #expect(seqs == [1, 2] + (2_001...3_000))
  }

  @Test("a store that is full of work is found to have some, and an empty one has none")
  func work() throws {
    let limits = PruningLimits(finished: bench.now, progress: bench.now)
    #expect(try !Pruning(store, limits).hasWork())
    #expect(try forecast(limits) == PrunedCount())
    #expect(try prune(finished: bench.now, progress: bench.now) == PrunedCount())
    try bench.take(.start, .progress, .fail, of: "other")
    try bench.take(.start)
    #expect(try Pruning(store, limits).hasWork())
    #expect(try Pruning(store, PruningLimits(finished: nil, progress: bench.now)).hasWork())
    #expect(try !Pruning(store, PruningLimits(finished: nil, progress: nil)).hasWork())
  }
}
