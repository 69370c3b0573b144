import JSON
import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("Writing")
struct WritingTests {
  private let bench: Bench
  private var store: RenderStore { bench.store }

  init() throws {
    bench = try Bench()
  }

  private func command(
    _ id: String,
    _ action: Command.Action,
    _ context: Context = Context()
  ) -> Command {
    Command(id: id, action: action, context: context)
  }

  // MARK: - Groups

  @Test(
    "a group takes effect together; each command sees those before it, the refused disturb none"
  )
  func group() throws {
    let commands = [
      command("a", .event(.start)), command("a", .event(.complete)),
      command("b", .event(.progress)), command("a", .event(.progress)),
      command("b", .event(.start)), command("a", .event(.complete)), command("a", .regenerate),
    ]
    let (outcomes, changes) = try store.write { transaction throws(StoreError) in
      var outcomes: [WriteTransaction.Outcome] = []
      for command in commands { outcomes.append(try transaction.apply(command, at: Bench.noon)) }
      return (outcomes, transaction.changes)
    }
    #expect(outcomes.map { $0.change?.seq } == [1, nil, nil, 2, 3, 4, 5])
    #expect(outcomes[1].refusal == .invalidTransition(event: .complete, state: .queued))
    #expect(outcomes[2].refusal == .invalidTransition(event: .progress, state: .idle))
    #expect(changes.map(\.seq) == [1, 2, 3, 4, 5])
    #expect(String(describing: try store.log()) == String(describing: changes))
    #expect(try store.render("a").run == 2)
  }

  @Test("an error thrown in a group takes all of it back, and the numbers go on where they were")
  func rollback() throws {
    try bench.take(.start)
    let error = #expect(throws: StoreError.self) {
      try store.write { transaction throws(StoreError) in
        _ = try transaction.apply(command("video", .event(.progress)), at: Bench.noon)
        _ = try transaction.apply(command("other", .event(.start)), at: Bench.noon)
        _ = try transaction.acquireLease("n", holder: "h", milliseconds: 9, at: Bench.noon)
        #expect(try store.head() == 3)
        throw StoreError.unavailable(reason: "by the test", isRetryable: true)
      }
    }
    #expect(error?.isRetryable == true)
    #expect(try store.head() == 1)
    #expect(try store.render("video").state == .queued)
    #expect(try store.render("other").version == 0)
    #expect(try store.lease("n") == nil)
    #expect(try bench.send(.event(.progress)).change?.seq == 2)
  }

  @Test("who is answered is answered after the commit, and before the gate is left")
  func answering() throws {
    let other = try RenderStore.open(bench.path)
    var isAnswered = false
    try store.write(
      { transaction throws(StoreError) in
        _ = try transaction.apply(command("video", .event(.start)), at: Bench.noon)
      },
      answering: {
        isAnswered = (try? other.render("video").version) == 1 && other.gate?.enterIfFree() == false
      }
    )
    #expect(isAnswered)
  }

  @Test("nobody is answered for a group that was taken back")
  func noAnswer() throws {
    var isAnswered = false
    #expect(throws: StoreError.self) {
      try store.write(
        { _ throws(StoreError) in throw .busy },
        answering: { isAnswered = true }
      )
    }
    #expect(!isAnswered)
  }

  // MARK: - Rows

  @Test("a render that starts again far behind the last row moves to the end, and is as it was")
  func movingToTheEnd() throws {
    func rows() throws -> [String] {
      try Shell(bench.path).rows(
        "SELECT id, row FROM renders WHERE id IN ('old', 'new') ORDER BY id"
      )
    }
    try store.write { transaction throws(StoreError) in
      func take(_ action: Command.Action, of id: String) throws(StoreError) {
        _ = try transaction.apply(command(id, action), at: Bench.noon)
      }
      try take(.event(.start), of: "old")
      try take(.event(.cancel), of: "old")
      for number in 2..<4_096 { try take(.event(.start), of: "other-\(number)") }
      try take(.event(.start), of: "new")
      try take(.event(.cancel), of: "new")
    }
    try bench.take(.progress, of: "other-2")
    #expect(try rows() == ["\"new\"|4096", "\"old\"|1"])

    try bench.take(.start, of: "new")
    #expect(try rows() == ["\"new\"|4096", "\"old\"|1"], "it stands among the last already")
    try bench.take(.start, of: "last")
    try bench.take(.start, .progress, of: "old")
    #expect(try rows() == ["\"new\"|4096", "\"old\"|4098"])
    try bench.reopen()
    let moved = try store.render("old")
    #expect(moved.state == .rendering)
    #expect(moved.version == 4)
    #expect(moved.attempt == 2)
    #expect(try store.history(of: "old", after: 0, limit: 10).map(\.version) == [1, 2, 3, 4])
  }

  @Test("nobody sees a group before its commit")
  func isolation() throws {
    let other = try RenderStore.open(bench.path)
    try store.write { transaction throws(StoreError) in
      _ = try transaction.apply(command("video", .event(.start)), at: Bench.noon)
      #expect(try store.render("video").version == 1)
      #expect(try other.render("video").version == 0)
      #expect(try other.head() == 0)
    }
    #expect(try other.render("video").version == 1)
  }

  @Test("a snapshot is one moment, whatever is committed meanwhile")
  func snapshot() throws {
    let other = try RenderStore.open(bench.path)
    try bench.take(.start)
    try other.snapshot { () throws(StoreError) in
      #expect(try other.head() == 1)
      try store.apply(command("video", .event(.progress)), at: Bench.noon)
      #expect(try other.head() == 1)
      #expect(try other.renders(["video"]).map(\.version) == [1])
    }
    #expect(try other.head() == 2)
  }

  @Test("a snapshot that ends with an error is over")
  func brokenSnapshot() throws {
    #expect(throws: StoreError.self) {
      try store.snapshot { () throws(StoreError) in
        _ = try store.head()
        throw StoreError.defect("by the test")
      }
    }
    try bench.take(.start)
    #expect(try store.head() == 1)
  }

  // MARK: - What is kept

  @Test("what an outcome says is what the store holds, and what the log ends with")
  func outcome() throws {
    let metadata = try MetadataChange(spelled: #"{"a":[1,2.5,"x"],"b":{}}"#)
    let timeouts = Timeouts(queued: 1, stall: 2, total: 3)
    try bench.send(
      .event(.start),
      Context(renderID: "r", bucketName: "b", metadata: metadata),
      timeouts: timeouts
    )
    bench.now = bench.now.advanced(by: 5)
    for (event, context) in [
      (Event.progress, Context(progress: 12.75)), (.complete, Context(videoURL: "https://v/1")),
    ] {
      let outcome = try bench.send(.event(event), context)
      let stored = try store.render("video")
      #expect(String(describing: outcome.render) == String(describing: stored))
      let last = try #require(try store.log().last)
      #expect(String(describing: outcome.change) == String(describing: Optional(last)))
    }
    #expect(try store.render("video").timeouts == timeouts)
    #expect(try store.render("video").metadata.text == metadata.text)
  }

  @Test("an idle id is not stored by asking for it, nor by a refused command")
  func idle() throws {
    #expect(try store.render("video").state == .idle)
    #expect(try bench.send(.event(.progress), key: "k").refusal != nil)
    #expect(try store.renders(["video", "other"]).map(\.version) == [0, 0])
    let shell = try Shell(bench.path)
    #expect(try shell.dump() == [])
  }

  @Test("unusual text comes back as it was given")
  func unusualText() throws {
    let texts = [
      "a\0b", "\0", "e\u{301} \u{e9}", "😀🏳️‍🌈", "'; DROP TABLE renders; --", "\u{FEFF}bom", "\u{FFFF}",
      "line\nbreak\r\n", " ", "\u{202E}right to left", "\u{85}\u{2028}",
    ]
    for (number, text) in texts.enumerated() {
      let id = "video \(number)"
      let spelled = JSON.string(text).compactText
      let metadata = try MetadataChange(spelled: "{\(spelled):\(spelled)}")
      try bench.take(.start, of: id)
      try bench.send(.event(.fail), to: id, Context(error: text, metadata: metadata))
      let render = try store.render(id)
      #expect(render.error?.hasSameBytes(as: text) == true)
      #expect(render.metadata.text.hasSameBytes(as: metadata.text))
      let change = try #require(try store.log().last)
      #expect(change.error?.hasSameBytes(as: text) == true)
      #expect(change.metadata?.hasSameBytes(as: metadata.text) == true)
    }
  }

  @Test("an empty error is an error, not none")
  func emptyError() throws {
    try bench.take(.start)
    try bench.send(.event(.fail), Context(error: ""))
    #expect(try store.render("video").error == "")
    #expect(try store.log().last?.error == "")
  }

  @Test("ids, keys and renderIds that differ in bytes only are different ones")
  func canonicalEquivalence() throws {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    try bench.send(.event(.start), to: composed, Context(renderID: composed), key: composed)
    #expect(try store.render(decomposed).version == 0)
    try bench.send(.event(.start), to: decomposed, Context(renderID: composed), key: composed)
    #expect(try bench.send(.event(.progress), to: composed, key: decomposed).change != nil)
    #expect(
      try bench.send(.event(.complete), to: composed, Context(renderID: decomposed)).refusal
        == .staleRender(renderID: decomposed)
    )
    let filter = ChangeFilter(ids: [decomposed], states: nil)
    let found = try store.changes(matching: filter, in: LogRange(after: 0, upTo: 9), limit: 9)
    #expect(found.map(\.seq) == [2])
    #expect(try store.history(of: composed, after: 0, limit: 9).map(\.seq) == [1, 3])
  }

  @Test("ids that look like numbers or differ in case stay what they are")
  func numericIDs() throws {
    for id in ["1", "1.0", "01", "A", "a", "0x1", "1e0"] { try bench.take(.start, of: id) }
    #expect(try store.log().map(\.id) == ["1", "1.0", "01", "A", "a", "0x1", "1e0"])
    let filter = ChangeFilter(ids: ["1", "a"], states: nil)
    let found = try store.changes(matching: filter, in: LogRange(after: 0, upTo: 9), limit: 9)
    #expect(found.map(\.seq) == [1, 5])
  }

  @Test("times as large as there are and numbers as fine as there are come back")
  func extremes() throws {
    bench.now = Timestamp(milliseconds: 253_402_300_799_999)
    try bench.send(
      .event(.start),
      timeouts: Timeouts(queued: .max, stall: nil, total: 31_622_400_000)
    )
    try bench.send(.event(.progress), Context(progress: 100 / 3.0))
    #expect(try store.render("video").progress == 100 / 3.0)
    #expect(try store.render("video").updatedAt == bench.now)
    #expect(try store.render("video").timeouts.queued == .max)
  }

  // MARK: - The past

  @Test("a key replays its first answer, after reopening too, and belongs to its id")
  func idempotency() throws {
    try bench.send(.event(.start), key: "k")
    try bench.take(.progress)
    for _ in 0..<2 {
      let outcome = try bench.send(.event(.start), Context(renderID: "r"), key: "k")
      #expect(outcome.keyUse?.seq == 1)
      #expect(outcome.keyUse?.previousState == .idle)
      #expect(outcome.render.state == .rendering)
      #expect(
        try bench.send(.event(.fail), key: "k").refusal == .keyReused(before: "start")
      )
      #expect(try bench.send(.regenerate, key: "k").refusal == .keyReused(before: "start"))
      try bench.reopen()
    }
    #expect(try bench.send(.event(.start), to: "other", key: "k").change?.seq == 3)
    try bench.take(.complete)
    #expect(try bench.send(.regenerate, key: "again").change != nil)
    #expect(try bench.send(.regenerate, key: "again").keyUse?.previousState == .idle)
    #expect(
      try bench.send(.event(.start), key: "again").refusal == .keyReused(before: "regenerate")
    )
  }

  @Test("two commands with one key in one group are one change")
  func keyWithinGroup() throws {
    let start = Command(id: "video", action: .event(.start), idempotencyKey: "k")
    let outcomes = try store.write { transaction throws(StoreError) in
      [
        try transaction.apply(start, at: Bench.noon),
        try transaction.apply(start, at: Bench.noon),
      ]
    }
    #expect(outcomes.map { $0.change?.seq } == [1, nil])
    #expect(outcomes[1].keyUse?.seq == 1)
  }

  @Test("a renderId of an earlier attempt is refused, after reopening too; other ids may have it")
  func fencing() throws {
    try bench.send(.event(.start), Context(renderID: "r1"))
    try bench.take(.fail, .start)
    for _ in 0..<2 {
      for action: Command.Action in [.event(.progress), .event(.start), .regenerate] {
        #expect(
          try bench.send(action, Context(renderID: "r1")).refusal == .staleRender(renderID: "r1")
        )
      }
      try bench.reopen()
    }
    try bench.send(.event(.progress), Context(renderID: "r2"))
    try bench.send(.event(.complete), Context(renderID: "r2"))
    #expect(
      try bench.send(.regenerate, Context(renderID: "r2")).refusal == .staleRender(renderID: "r2")
    )
    #expect(try bench.send(.event(.start), to: "other", Context(renderID: "r1")).change != nil)
  }

  @Test("of two who expect the same version, one is served")
  func optimisticLock() throws {
    try bench.take(.start)
    let expected = Expectations(version: 1, state: .queued)
    let other = try RenderStore.open(bench.path)
    let command = Command(id: "video", action: .event(.progress), expected: expected)
    #expect(try other.apply(command, at: Bench.noon).change != nil)
    #expect(
      try store.apply(command, at: Bench.noon).refusal
        == .conflict(reason: "expected version 1, it is 2")
    )
  }

  // MARK: - Leases

  @Test("leases are granted, renewed, refused and released through the store")
  func leases() throws {
    func acquire(_ holder: String, at now: Timestamp) throws -> (lease: Lease, isAcquired: Bool) {
      try store.write { transaction throws(StoreError) in
        try transaction.acquireLease("poller", holder: holder, milliseconds: 1_000, at: now)
      }
    }
    func release(_ holder: String) throws -> Bool {
      try store.write { transaction throws(StoreError) in
        try transaction.releaseLease("poller", holder: holder, at: Bench.noon)
      }
    }
    #expect(try !release("a"))
    #expect(try acquire("a", at: Bench.noon).lease.token == 1)
    let refused = try acquire("b", at: Bench.noon)
    #expect(!refused.isAcquired)
    #expect((refused.lease.holder, refused.lease.token) == ("a", 1))
    #expect(try acquire("a", at: Bench.noon.advanced(by: 500)).lease.token == 1)
    #expect(try !release("b"))
    try bench.reopen()
    #expect(try release("a"))
    #expect(try !release("a"))
    let next = try acquire("b", at: Bench.noon)
    #expect(next.isAcquired)
    #expect(next.lease.token == 2)
    #expect(try acquire("c", at: next.lease.expiresAt).lease.token == 3)
    #expect(try store.head() == 0)
  }

  // MARK: - Deadlines

  @Test("what is overdue fails by the watchdog, once, at its time and not before")
  func overdue() throws {
    let timeouts = Timeouts(queued: 100, stall: 50, total: 1_000)
    try bench.send(.event(.start), to: "a", timeouts: timeouts)
    try bench.send(.event(.start), to: "b", timeouts: timeouts)
    try bench.take(.progress, of: "b")
    try bench.take(.start, of: "none")
    func fail(at offset: Int64, limit: Int = 10) throws -> [Change] {
      try store.write { transaction throws(StoreError) in
        try transaction.failOverdue(at: Bench.noon.advanced(by: offset), limit: limit)
        return transaction.changes
      }
    }
    #expect(try store.firstDeadline() == Bench.noon.advanced(by: 50))
    #expect(try fail(at: 49).isEmpty)
    let stalled = try #require(try fail(at: 50).first)
    #expect((stalled.id, stalled.actor) == ("b", "watchdog"))
    #expect(stalled.error == "Timed out by stallMs 50: no event for 50 ms")
    #expect(try store.firstDeadline() == Bench.noon.advanced(by: 100))
    #expect(try fail(at: 5_000).map(\.id) == ["a"])
    #expect(try fail(at: 5_000).isEmpty)
    #expect(try store.firstDeadline() == nil)
    #expect(try store.render("none").state == .queued)
  }

  @Test("the longest overdue fail first, so many at a time, after reopening too")
  func overdueInPortions() throws {
    for number in 0..<7 {
      let timeouts = Timeouts(queued: Int64(100 - number), stall: nil, total: nil)
      try bench.send(.event(.start), to: "video \(number)", timeouts: timeouts)
    }
    try bench.reopen()
    var portions: [[String]] = []
    while try store.firstDeadline() != nil {
      portions.append(
        try store.write { transaction throws(StoreError) in
          try transaction.failOverdue(at: Bench.noon.advanced(by: 100), limit: 3)
          return transaction.changes.map(\.id)
        }
      )
    }
    #expect(
      portions == [
        ["video 6", "video 5", "video 4"], ["video 3", "video 2", "video 1"], ["video 0"],
      ]
    )
  }

  @Test("two processes that look after deadlines fail each render exactly once")
  func overdueRace() throws {
    for number in 0..<60 {
      let timeouts = Timeouts(queued: 1, stall: nil, total: nil)
      try bench.send(.event(.start), to: "video \(number)", timeouts: timeouts)
    }
    let path = bench.path
    let watchdogs = (0..<2).map { _ in
      Companion { () -> [String]? in
        guard let store = try? RenderStore.open(path) else { return nil }
        var failed: [String] = []
        while (try? store.firstDeadline()) ?? nil != nil {
          let changes = try? store.write { transaction throws(StoreError) in
            try transaction.failOverdue(at: Bench.noon.advanced(by: 1), limit: 3)
            return transaction.changes.map(\.id)
          }
          failed += changes ?? []
        }
        return failed
      }
    }
    let failed = try watchdogs.map { try #require($0.outcome() ?? nil) }
    #expect(failed.flatMap { $0 }.sorted() == (0..<60).map { "video \($0)" }.sorted())
    #expect(try store.count(in: .failed) == 60)
    #expect(try store.head() == 120)
  }

  // MARK: - Size

  @Test("the size is that of the file's pages and of the log beside it")
  func size() throws {
    let before = try store.size()
    for number in 0..<300 { try bench.take(.start, of: "video \(number)") }
    let after = try store.size()
    #expect(after.bytes > before.bytes)
    #expect(after.walBytes > before.walBytes)
    #expect(after.bytes % 4_096 == 0)
    #expect(!RenderStore.sqliteVersion.isEmpty)
  }
}
