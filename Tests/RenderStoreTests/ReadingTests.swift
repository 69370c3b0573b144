import JSON
import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("Reading")
struct ReadingTests {
  private let bench: Bench
  private var store: RenderStore { bench.store }

  init() throws {
    bench = try Bench()
  }

  /// Fills the store with whatever comes, seeded, in a few groups.
  private func fill(seed: UInt64, steps: Int, ids: Int) throws {
    var random = SplitMix64(seed: seed)
    var now = Bench.noon
    for _ in 0..<(steps / 50) {
      try store.write { transaction throws(StoreError) in
        for _ in 0..<50 {
          // Often the same moment: ties in updatedAt.
          if random.below(4) == 0 { now = now.advanced(by: 1) }
          let kind = random.below(Event.allCases.count + 1)
          let command = Command(
            id: "video \(random.below(ids))",
            action: kind < Event.allCases.count ? .event(Event.allCases[kind]) : .regenerate,
            context: Context(progress: nil)
          )
          _ = try transaction.apply(command, at: now)
        }
      }
    }
  }

  // MARK: - Lists

  @Test("the list is by updatedAt, then seq, newest first, in every selection of states")
  func listOrder() throws {
    try fill(seed: 1, steps: 600, ids: 40)
    let all = try (0..<40).map { try store.render("video \($0)") }
    let choices: [[State]] = [
      State.allCases, [.queued], [.completed, .failed], [.rendering, .queued, .failed], [.idle],
      [.queued, .queued],
    ]
    for states in choices {
      let expected =
        all
        .filter { states.contains($0.state) && $0.version > 0 }
        .sorted { ($0.updatedAt, $0.seq) > ($1.updatedAt, $1.seq) }
      let list = try store.list(states, behind: nil, limit: 1_000)
      #expect(list.map(\.seq) == expected.map(\.seq))
    }
    func count(_ state: State) -> Int64 { Int64(all.count { $0.state == state && $0.version > 0 }) }
    let counts = RenderCounts(
      queued: count(.queued),
      rendering: count(.rendering),
      completed: count(.completed),
      failed: count(.failed)
    )
    #expect(try store.counts() == counts)
    #expect(counts.completed > 0 && counts.failed > 0)
  }

  @Test("those without an event since a moment come the longest first, as many as wanted")
  func quiet() throws {
    try fill(seed: 4, steps: 600, ids: 40)
    let all = try (0..<40).map { try store.render("video \($0)") }
    let moments = [Int64.min, Bench.noon.milliseconds, .max] + all.map(\.updatedAt.milliseconds)
    for states in [[State.queued], [.rendering, .queued], [.failed, .completed, .idle]] {
      for moment in moments.map(Timestamp.init(milliseconds:)) {
        let expected =
          all
          .filter { states.contains($0.state) && $0.updatedAt <= moment && $0.version > 0 }
          .sorted { ($0.updatedAt, $0.seq) < ($1.updatedAt, $1.seq) }
        for limit in [1, 3, 1_000] {
          let list = try store.listQuiet(states, since: moment, limit: limit)
          #expect(list.map(\.seq) == expected.prefix(limit).map(\.seq))
        }
      }
    }
  }

  @Test("pages of any size make up the list, ties and reopening between them notwithstanding")
  func paging() throws {
    try fill(seed: 2, steps: 500, ids: 30)
    let whole = try store.list(State.allCases, behind: nil, limit: 1_000).map(\.id)
    #expect(whole.count > 20)
    for limit in [1, 2, 7, 29, 30, 31] {
      var position: RenderStore.ListPosition?
      var pages: [String] = []
      while true {
        let page = try store.list(State.allCases, behind: position, limit: limit)
        guard let last = page.last else { break }
        #expect(page.count <= limit)
        pages += page.map(\.id)
        position = RenderStore.ListPosition(updatedAt: last.updatedAt, seq: last.seq)
        if limit == 7 { try bench.reopen() }
      }
      #expect(pages == whole)
    }
  }

  @Test("renders come in the order asked, each as often as asked")
  func several() throws {
    try bench.take(.start, of: "a")
    try bench.take(.start, .fail, of: "b")
    let renders = try store.renders(["b", "none", "a", "b"])
    #expect(renders.map(\.id) == ["b", "none", "a", "b"])
    #expect(renders.map(\.state) == [.failed, .idle, .queued, .failed])
    #expect(try store.renders([]).isEmpty)
  }

  // MARK: - The log

  @Test("a history is the render's changes, oldest first, in pages of any size")
  func history() throws {
    try fill(seed: 3, steps: 400, ids: 6)
    let log = try store.log()
    for number in 0..<6 {
      let id = "video \(number)"
      let expected = log.filter { $0.id == id }.map(\.seq)
      for limit in [1, 3, 1_000] {
        var after: Int64 = 0
        var seen: [Int64] = []
        while true {
          let page = try store.history(of: id, after: after, limit: limit)
          guard let last = page.last else { break }
          #expect(page.count <= limit)
          seen += page.map(\.seq)
          after = last.seq
        }
        #expect(seen == expected)
        #expect(
          try store.latestChanges(of: id, limit: limit).map(\.seq) == expected.suffix(limit)
        )
      }
    }
    #expect(try store.history(of: "none", after: 0, limit: 9).isEmpty)
    #expect(try store.latestChanges(of: "none", limit: 9).isEmpty)
    #expect(try store.change(1)?.seq == 1)
    #expect(try store.change(log.count == 0 ? 1 : Int64(log.count) + 1) == nil)
    #expect(try store.head() == Int64(log.count))
    #expect(try store.changes(after: 5, limit: 3).map(\.seq) == [6, 7, 8])
  }

  // MARK: - The feed, against a naive reading of the whole log

  @Test("a history of any length is entered anywhere, changes by hand included")
  func longHistory() throws {
    try bench.take(.start)
    try bench.take(.start, of: "other")
    let progress = Command(id: "video", action: .event(.progress))
    for _ in 0..<4 {
      try store.write { transaction throws(StoreError) in
        for _ in 0..<300 { _ = try transaction.apply(progress, at: Bench.noon) }
      }
      try bench.take(.progress, of: "other")
      try Shell(bench.path).run("UPDATE renders SET event='progress', version=version+1")
    }
    let seqs = try store.log().filter { $0.id == "video" }.map(\.seq)
    #expect(seqs.count == 1 + 4 * 301)
    for limit in [1, 2, 100, 255, 256, 257, 1_000, 2_000] {
      for after in stride(from: Int64(0), through: 1_230, by: 41) {
        let page = try store.history(of: "video", after: after, limit: limit)
        #expect(page.map(\.seq) == Array(seqs.filter { $0 > after }.prefix(limit)))
      }
    }
    #expect(try store.history(of: "other", after: 0, limit: 99).count == 9)
    #expect(try store.history(of: "nobody", after: 0, limit: 99).isEmpty)
  }

  @Test("what the feed's queries say is what reading the whole log says", arguments: 10..<16)
  func feed(seed: UInt64) throws {
    try fill(seed: seed, steps: 300, ids: 8)
    let log = try store.log()
    let head = Int64(log.count)
    var random = SplitMix64(seed: seed)
    for _ in 0..<60 {
      let ids: [String]? =
        random.below(2) == 0
        ? nil : (0..<8).filter { _ in random.below(3) == 0 }.map { "video \($0)" } + ["none"]
      let states: [State]? =
        random.below(2) == 0 ? nil : State.allCases.filter { _ in random.below(2) == 0 }
      let ends = [Int64(random.below(Int(head) + 3)), Int64(random.below(Int(head) + 3))].sorted()
      let range = LogRange(after: ends[0], upTo: ends[1])
      let limit = [1, 5, 1_000][random.below(3)]
      let filter = ChangeFilter(ids: ids, states: states)
      let matching = log.filter { change in
        change.seq > range.after && change.seq <= range.upTo
          && ids.map { $0.contains(change.id) } ?? true
          && states.map { $0.contains(change.state) } ?? true
      }
      let found = try store.changes(matching: filter, in: range, limit: limit)
      #expect(found.map(\.seq) == matching.prefix(limit).map(\.seq))
      #expect(
        try store.count(matching: filter, in: range, limit: limit) == min(limit, matching.count)
      )
      try expectNewest(of: matching, filter, range, &random)
      try expectStates(of: ids, log, range)
    }
  }

  /// Each render's newest matching change, with the number of the others; in parts of any size,
  /// where the filter names no ids.
  private func expectNewest(
    of matching: [Change],
    _ filter: ChangeFilter,
    _ range: LogRange,
    _ random: inout SplitMix64
  ) throws {
    let expected =
      Dictionary(grouping: matching, by: \.id).values
      .compactMap { changes in changes.last.map { ($0.seq, Int64(changes.count - 1)) } }
      .sorted { $0.0 < $1.0 }
    var found: [FoldedChange] = []
    if filter.hasIDs {
      found = try store.newestChanges(matching: filter, in: range, part: range)
    } else {
      var after = range.after
      while after < range.upTo {
        let part = LogRange(
          after: after,
          upTo: min(range.upTo, after + 1 + Int64(random.below(90)))
        )
        found += try store.newestChanges(matching: filter, in: range, part: part)
        after = part.upTo
      }
    }
    #expect(found.map(\.seq) == expected.map(\.0))
    #expect(found.map { Int64($0.skipped) } == expected.map(\.1))
  }

  private func expectStates(of ids: [String]?, _ log: [Change], _ range: LogRange) throws {
    guard let ids else { return }
    var seen: [String] = []
    let filter = ChangeFilter(ids: ids, states: nil)
    try store.readStates(of: filter, in: range) { seq, id, state in
      seen.append("\(seq) \(id) \(state)")
    }
    let expected = log.filter {
      ids.contains($0.id) && $0.seq > range.after && $0.seq <= range.upTo
    }
    #expect(seen == expected.map { "\($0.seq) \($0.id) \($0.state)" })
  }

  @Test("a filter of a thousand ids, in any characters, is one query")
  func manyIDs() throws {
    let ids = (0..<1_000).map { "😀 \"\\ \u{e9} \($0)" }
    try store.write { transaction throws(StoreError) in
      for id in ids {
        _ = try transaction.apply(Command(id: id, action: .event(.start)), at: Bench.noon)
      }
    }
    let filter = ChangeFilter(ids: ids, states: [.queued])
    let range = LogRange(after: 0, upTo: 1_000)
    #expect(try store.count(matching: filter, in: range, limit: 5_000) == 1_000)
    #expect(
      try store.changes(matching: filter, in: range, limit: 5_000).map(\.id) == ids
    )
  }

  // MARK: - What is kept in memory

  @Test("a render is read as others have changed it, with our gate and without it, in a group too")
  func changedByOthers() throws {
    try bench.take(.start)
    #expect(try store.render("video").version == 1)
    let other = try RenderStore.open(bench.path)
    let progress = Command(id: "video", action: .event(.progress))
    try other.apply(progress, at: Bench.noon)
    #expect(try store.render("video").version == 2)
    try Shell(bench.path).run("UPDATE renders SET event='progress', progress=5, version=3")
    #expect(try store.render("video").progress == 5)
    #expect(try other.render("video").version == 3)
    #expect(try bench.send(.event(.progress)).change?.version == 4)
    #expect(try other.apply(progress, at: Bench.noon).change?.version == 5)
  }

  @Test("what a group that failed has changed is not remembered, idle renders included")
  func forgottenGroup() throws {
    try bench.take(.start)
    #expect(throws: StoreError.self) {
      try store.write { transaction throws(StoreError) in
        for id in ["video", "new"] {
          let event: Event = id == "new" ? .start : .progress
          let command = Command(id: id, action: .event(event))
          _ = try transaction.apply(command, at: Bench.noon)
        }
        throw StoreError.unavailable(reason: "by the test", isRetryable: true)
      }
    }
    #expect(try store.renders(["video", "new"]).map(\.version) == [1, 0])
    #expect(try bench.send(.event(.start), to: "new").change?.version == 1)
  }

  @Test("a render is what was written, whatever was read meanwhile and however long its metadata")
  func manyRenders() throws {
    let long = String(repeating: "x", count: 2_000)
    for text in ["{}", #"{"a":"\#(long)"}"#, #"{"a":null}"#] {
      let metadata = try MetadataChange(spelled: text)
      let event: Event = text == "{}" ? .start : .progress
      try bench.send(.event(event), Context(metadata: metadata))
      let written = try store.render("video").metadata.text
      for number in 0..<5_000 { _ = try store.render("other \(number)") }
      #expect(try store.render("video").metadata.text == written)
    }
    #expect(try store.render("video").version == 3)
    #expect(try store.render("video").metadata.text == "{}")
  }

  // MARK: - A file that holds what nobody wrote

  @Test("metadata that is no object is damage, not a defect, and other renders are read")
  func damagedMetadata() throws {
    try bench.take(.start)
    try bench.take(.start, of: "other")
    let shell = try Shell(bench.path)
    try shell.run(
      """
      DROP TRIGGER renders_guard_change;
      UPDATE renders SET metadata='{x}', state='rendering', event='progress', version=2 WHERE row=1
      """
    )
    let error = #expect(throws: StoreError.self) { try store.render("video") }
    #expect(error?.isRetryable == false)
    #expect(try store.render("other").version == 1)
    try shell.run("UPDATE renders SET metadata='{}', event='progress', version=3 WHERE row=1")
    #expect(try store.render("video").version == 3)
  }
}
