import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("The schema defends itself")
struct SchemaTests {
  private let bench: Bench
  private let shell: Shell

  init() throws {
    bench = try Bench()
    shell = try Shell(bench.path)
  }

  /// Tries statements that are to leave nothing behind.
  private func passes(_ sql: String) throws -> Bool {
    try shell.run("SAVEPOINT attempt")
    let error = shell.error(of: sql)
    try shell.run("ROLLBACK TO attempt; RELEASE attempt")
    return error == nil
  }

  private func update(to state: State, by event: Event, run: Int) -> String {
    """
    UPDATE renders SET state = '\(state)', event = '\(event)', version = version + 1,
      error = iif('\(state)' = 'failed', 'by hand', NULL), video_url = NULL, run = run + \(run),
      attempt = \(run > 0 ? "1" : "attempt + ('\(event)' = 'start')") WHERE id = 'video'
    """
  }

  private static func insert(
    _ id: String = "new",
    row: String = "NULL",
    state: State = .queued,
    event: Event = .start,
    progress: String = "0",
    metadata: String = "{}",
    counters: String = "1, 1, 1",
    seq: String = "(SELECT ifnull(max(seq), 0) + 1 FROM transitions)",
    times: String = "1, 1, 1",
    or resolution: String = ""
  ) -> String {
    """
    INSERT \(resolution) INTO renders (row, id, state, error, progress, metadata, run, attempt,
      version, seq, created_at, updated_at, started_at, event)
    VALUES (\(row), '\(id)', '\(state)', iif('\(state)' = 'failed', '', NULL),
      \(progress), '\(metadata)', \(counters), \(seq), \(times), '\(event)')
    """
  }

  // MARK: - The table

  @Test(
    "from, event and to pass as the table has them, and not otherwise",
    arguments: State.allCases
  )
  func everyTransition(from: State) throws {
    try bench.bring("video", to: from)
    for event in Event.allCases {
      for state in State.allCases {
        let isLegal = Machine.row(from: from, event: event)?.to == state
        let sql =
          from == .idle
          ? Self.insert("video", state: state, event: event) : update(to: state, by: event, run: 0)
        #expect(try passes(sql) == isLegal, "\(from) \(event) \(state)")
      }
    }
  }

  @Test("a new run begins from a terminal state, with start, in queued", arguments: State.allCases)
  func everyNewRun(from: State) throws {
    guard from != .idle else { return }
    try bench.bring("video", to: from)
    for event in Event.allCases {
      for state in State.allCases {
        let isLegal = from.isTerminal && event == .start && state == .queued
        #expect(try passes(update(to: state, by: event, run: 1)) == isLegal)
        #expect(try !passes(update(to: state, by: event, run: 2)))
      }
    }
  }

  @Test("our own writes pass as the table has them", arguments: State.allCases)
  func ownWrites(from: State) throws {
    for event in Event.allCases {
      let id = "\(from) \(event)"
      try bench.bring(id, to: from)
      let outcome = try bench.send(.event(event), to: id)
      #expect((outcome.change != nil) == (Machine.row(from: from, event: event) != nil))
      #expect(try bench.store.render(id).version == outcome.render.version)
    }
    let id = "\(from) regenerate"
    try bench.bring(id, to: from)
    #expect((try bench.send(.regenerate, to: id).change != nil) == !from.isActive)
  }

  @Test("what this program writes, past the triggers, they would have let pass and logged alike")
  func ownWritesPastTheTriggers() throws {
    var random = SplitMix64(seed: 11)
    for _ in 0..<400 {
      let id = "video \(Int.random(in: 0..<5, using: &random))"
      let event = Event.allCases.randomElement(using: &random) ?? .start
      let isNewRun = Int.random(in: 0..<8, using: &random) == 0
      var context = Context()
      if event == .progress { context.progress = Double.random(in: 0...100, using: &random) }
      if Bool.random(using: &random) { context.renderID = "r\(random.below(40))" }
      try bench.send(isNewRun ? .regenerate : .event(event), to: id, context)
    }
    let others = try Bench()
    let othersShell = try Shell(others.path)
    for change in try bench.store.log() {
      func literal(_ text: String?) -> String { text.map { "'\($0)'" } ?? "NULL" }
      let values = """
        '\(change.state)', '\(change.event)', \(change.progress), \(literal(change.renderID)),
        \(literal(change.error)), \(change.run), \(change.attempt), \(change.version)
        """
      let columns = "state, event, progress, render_id, error, run, attempt, version"
      try othersShell.run(
        change.version == 1
          ? """
          INSERT INTO renders (\(columns), id, metadata, seq, created_at, updated_at, started_at)
          VALUES (\(values), '\(change.id)', '{}', \(change.seq), 1, 1, 1)
          """ : "UPDATE renders SET (\(columns)) = (\(values)) WHERE id = '\(change.id)'"
      )
    }
    let queries = [
      """
      SELECT row, id, state, event, progress, render_id, bucket_name, video_url, error, run, attempt,
        version, seq FROM renders
      """,
      "SELECT seq, \(Self.copied), version FROM transitions",
      "SELECT * FROM render_ids",
      "SELECT duration, sum(count) FROM durations GROUP BY duration",
    ]
    for query in queries { #expect(try shell.rows(query) == othersShell.rows(query)) }
    #expect(try shell.rows("SELECT 1 FROM transitions").count > 100)
  }

  // MARK: - What is aborted

  /// A statement that breaks a rule, and the words in which it is aborted.
  struct Breach: Sendable, CustomTestStringConvertible {
    let sql: String
    let message: String

    init(_ sql: String, _ message: String) {
      self.sql = sql
      self.message = message
    }

    var testDescription: String { sql }
  }

  private static let legal =
    "state = 'failed', event = 'cancel', error = 'x', version = version + 1"
  private static let again = """
    state = 'queued', event = 'start', error = NULL, attempt = attempt + 1, version = version + 1
    """
  private static let copied = """
    id, event, previous_state, state, progress, render_id, bucket_name, video_url, error, metadata,
    run, attempt
    """

  static let breaches = [
    Breach("UPDATE renders SET progress = 50", "version must grow by one"),
    Breach("UPDATE renders SET version = version + 2", "version must grow by one"),
    Breach("UPDATE renders SET version = version - 1", "version must grow by one"),
    Breach("UPDATE renders SET version = version", "version must grow by one"),
    Breach("UPDATE renders SET metadata = '{\"a\":1}'", "version must grow by one"),
    Breach(
      "UPDATE renders SET created_at = 1, version = version + 1",
      "id, row and created_at stay"
    ),
    Breach(
      "UPDATE renders SET id = 'other', \(legal) WHERE id = 'active'",
      "id, row and created_at stay"
    ),
    Breach(
      "UPDATE OR REPLACE renders SET row = 1, \(legal) WHERE id = 'active'",
      "id, row and created_at stay"
    ),
    Breach("UPDATE renders SET \(legal) WHERE id = 'done'", "a finished run is not edited"),
    Breach(
      "UPDATE renders SET video_url = 'x', version = version + 1 WHERE id = 'done'",
      "a finished run is not edited"
    ),
    Breach(
      "UPDATE renders SET run = run - 1, \(legal) WHERE id = 'active'",
      "run must stay, or grow by one"
    ),
    Breach(
      "UPDATE renders SET attempt = attempt + 1, \(legal) WHERE id = 'active'",
      "attempt grows by one with start"
    ),
    Breach(
      "UPDATE renders SET updated_at = 1, \(legal) WHERE id = 'active'",
      "updated_at, started_at and deadline_at are given to a change by the log"
    ),
    Breach(
      "UPDATE renders SET updated_at = 9223372036854775807, \(legal) WHERE id = 'active'",
      "updated_at, started_at and deadline_at are given to a change by the log"
    ),
    Breach(
      "UPDATE renders SET started_at = started_at + 1, \(legal) WHERE id = 'active'",
      "updated_at, started_at and deadline_at are given to a change by the log"
    ),
    Breach("UPDATE renders SET updated_at = updated_at + 1", "version must grow by one"),
    Breach("UPDATE renders SET deadline_at = 1", "version must grow by one"),
    Breach("UPDATE renders SET stall_ms = 5", "version must grow by one"),
    Breach("UPDATE renders SET seq = seq", "version must grow by one"),
    Breach("UPDATE renders SET actor = 'x'", "version must grow by one"),
    Breach("UPDATE renders SET rowid = 99 WHERE id = 'active'", "version must grow by one"),
    Breach(
      "UPDATE renders SET _rowid_ = 99, \(legal) WHERE id = 'active'",
      "id, row and created_at stay"
    ),
    Breach("UPDATE renders SET seq = seq - 1 WHERE id = 'active'", "version must grow by one"),
    Breach(
      "UPDATE renders SET seq = (SELECT max(seq) + 1 FROM transitions) WHERE id = 'active'",
      "version must grow by one"
    ),
    Breach(
      """
      UPDATE renders SET seq = (SELECT max(seq) + 1 FROM transitions), \(legal)
      WHERE id = 'active'
      """,
      "seq is given to a change by the log"
    ),
    Breach(
      "UPDATE renders SET render_id = 'r1', \(legal) WHERE id = 'active'",
      "render_id stays as long as the attempt"
    ),
    Breach(
      "UPDATE renders SET render_id = NULL, \(legal) WHERE id = 'active'",
      "render_id stays as long as the attempt"
    ),
    Breach(
      "UPDATE renders SET \(again), render_id = 'r3' WHERE id = 'failed'",
      "this render_id belongs to another attempt"
    ),
    Breach(
      "UPDATE OR IGNORE renders SET \(again), render_id = 'r3' WHERE id = 'failed'",
      "this render_id belongs to another attempt"
    ),
    Breach(
      "UPDATE OR REPLACE renders SET \(again), render_id = 'r3' WHERE id = 'failed'",
      "this render_id belongs to another attempt"
    ),
    Breach(
      "UPDATE renders SET bucket_name = NULL, \(legal) WHERE id = 'active'",
      "bucket_name is not taken back"
    ),
    Breach(
      "UPDATE renders SET progress = 99, \(legal) WHERE id = 'active'",
      "progress stays with the events fail and cancel"
    ),
    Breach(
      "UPDATE renders SET metadata = '{\"a\":1}', \(legal) WHERE id = 'active'",
      "metadata stays"
    ),
    Breach(
      "UPDATE renders SET total_ms = 5, \(legal) WHERE id = 'active'",
      "queued_ms, stall_ms and total_ms are set by a start only"
    ),
    Breach(
      "UPDATE renders SET \(again), total_ms = 0 WHERE id = 'failed'",
      "total_ms must be NULL, or from 1"
    ),
    Breach(
      "UPDATE renders SET \(again), queued_ms = 9223372036854775807 WHERE id = 'failed'",
      "queued_ms must be NULL, or from 1"
    ),
    Breach(
      "UPDATE renders SET \(again), render_id = '' WHERE id = 'failed'",
      "render_id must have 1 to 200 bytes"
    ),
    Breach(
      "UPDATE renders SET \(again), render_id = 'a' || char(0) || 'b' WHERE id = 'failed'",
      "no control characters"
    ),
    Breach(
      "UPDATE renders SET \(again), render_id = 'a' || char(133) WHERE id = 'failed'",
      "no control characters"
    ),
    Breach(
      "UPDATE renders SET \(again), bucket_name = replace(hex(zeroblob(101)), '00', 'ü')",
      "bucket_name must have 1 to 200 bytes"
    ),
    Breach(
      "UPDATE renders SET actor = char(10), \(legal) WHERE id = 'active'",
      "actor must have 1 to 200 bytes of UTF-8 and no control characters"
    ),
    Breach(
      """
      UPDATE renders SET state = 'completed', event = 'complete', version = version + 1,
        video_url = '' WHERE id = 'active'
      """,
      "video_url must have 1 to 2048 bytes"
    ),
    Breach(
      "UPDATE renders SET \(legal), error = hex(zeroblob(4097)) WHERE id = 'active'",
      "error must have at most 8192 bytes"
    ),
    Breach("DELETE FROM renders", "renders are not deleted"),
    Breach("DELETE FROM renders WHERE id = 'done'", "renders are not deleted"),
    Breach(insert("done"), "this id has a render already"),
    Breach(insert("done", or: "OR REPLACE"), "this id has a render already"),
    Breach(insert("done", or: "OR IGNORE"), "this id has a render already"),
    Breach(insert("new", row: "1", or: "OR REPLACE"), "this row has a render already"),
    Breach(insert("new", row: "-1"), "CHECK constraint failed: row > 0"),
    Breach(insert("new", row: "99"), "row is given by the table"),
    Breach(insert("new", row: "9223372036854775807"), "row is given by the table"),
    Breach(insert(""), "id must have 1 to 200 bytes"),
    Breach(insert("a\nb"), "id must have 1 to 200 bytes of UTF-8 and no control characters"),
    Breach(insert("' || CAST(x'61ff' AS TEXT) || '"), "id must have 1 to 200 bytes of UTF-8"),
    Breach(insert("' || CAST(x'eda080' AS TEXT) || '"), "id must have 1 to 200 bytes of UTF-8"),
    Breach(insert("new", progress: "50"), "a render begins with progress 0"),
    Breach(insert("new", metadata: "{x}"), "metadata begins as {}"),
    Breach(insert("new", times: "1, 2, 2"), "are one time"),
    Breach(insert("new", times: "-1, -1, -1"), "are one time"),
    Breach(
      insert("new", times: "9223372036854775807, 9223372036854775807, 9223372036854775807"),
      "and not in the future"
    ),
    Breach(insert("new", counters: "2, 1, 1"), "a render begins with run 1"),
    Breach(insert("new", counters: "1, 1, 0"), "a render begins with version 1"),
    Breach(insert("new", counters: "1, 1, 2"), "a render begins with version 1"),
    Breach(insert("new", seq: "1"), "the log only grows at its end"),
    Breach(insert("new", seq: "1000"), "the log only grows at its end"),
    Breach("UPDATE transitions SET error = 'x'", "the log is not edited"),
    Breach("UPDATE OR REPLACE transitions SET seq = 1 WHERE seq = 2", "the log is not edited"),
    Breach("DELETE FROM transitions WHERE seq = 1", "nothing is deleted from the log"),
    Breach("DELETE FROM transitions", "nothing is deleted from the log"),
    Breach(
      """
      INSERT INTO transitions SELECT max(seq) + 1, \(copied), version, actor, at, action, NULL,
        0, NULL FROM transitions
      """,
      "only a change of a render is logged"
    ),
    Breach(
      """
      INSERT INTO transitions SELECT max(seq) + 1, \(copied), version + 1, actor, at, action,
        NULL, 0, NULL FROM transitions
      """,
      "only a change of a render is logged"
    ),
    Breach(
      """
      INSERT OR REPLACE INTO transitions
      SELECT seq, \(copied), version, actor, at, action, idempotency_key, 0, NULL
      FROM transitions WHERE seq = 1
      """,
      "the log only grows at its end"
    ),
    Breach(
      "UPDATE renders SET event = 'progress', version = version + 1, progress = 101 WHERE id = 'active'",
      "CHECK constraint failed: progress"
    ),
    Breach(
      "UPDATE renders SET \(legal), error = NULL WHERE id = 'active'",
      "CHECK constraint failed"
    ),
    Breach(
      "UPDATE renders SET \(legal), video_url = 'x' WHERE id = 'active'",
      "CHECK constraint failed: video_url"
    ),
    Breach(
      "UPDATE renders SET event = 'progress', version = version + 1, progress = 'half' WHERE id = 'active'",
      "cannot store TEXT value in REAL column"
    ),
    Breach(
      "UPDATE renders SET actor = x'61', \(legal) WHERE id = 'active'",
      "cannot store BLOB value in TEXT column"
    ),
    Breach("DELETE FROM render_ids", "nothing is deleted from render_ids"),
    Breach("UPDATE render_ids SET render_id = 'x'", "render_ids is not edited"),
    Breach("INSERT INTO render_ids VALUES ('active', 'x')", "kept by the changes of renders"),
    Breach("INSERT INTO leases VALUES ('m', 'h', 'one', 0)", "cannot store TEXT value in INTEGER"),
    Breach("INSERT INTO leases VALUES ('m', 'h', 1, 'now')", "cannot store TEXT value in INTEGER"),
    Breach("INSERT INTO leases VALUES ('m', 'h', 2, 0)", "the first token of a lease is 1"),
    Breach("INSERT INTO leases VALUES ('', 'h', 1, 0)", "name must have 1 to 200 bytes"),
    Breach(
      "INSERT OR REPLACE INTO leases VALUES ('n', 'thief', 1, 0)",
      "there is a lease of this name already"
    ),
    Breach("UPDATE leases SET holder = 'thief'", "another holder takes the next token"),
    Breach("UPDATE leases SET token = token + 2", "token stays, or grows by one"),
    Breach("UPDATE leases SET token = token - 1", "token stays, or grows by one"),
    Breach("UPDATE leases SET name = 'other'", "the name of a lease stays"),
    Breach("DELETE FROM leases", "a lease is not deleted"),
    Breach("INSERT INTO clock VALUES (1, 'boot', 0)", "clock is kept by renderstate itself"),
    Breach(
      "INSERT INTO pruned_renders (id, version) VALUES ('p', 0)",
      "kept by renderstate itself"
    ),
    Breach("UPDATE pruned SET searched_seq = 9", "pruned is kept by renderstate itself"),
    Breach("DELETE FROM pruned", "pruned is kept by renderstate itself"),
  ]

  @Test("a statement that breaks a rule is aborted, and nothing has changed", arguments: breaches)
  func breach(breach: Breach) throws {
    try bench.send(.event(.start), to: "done", Context(renderID: "r0"), key: "k0")
    try bench.take(.progress, .complete, of: "done")
    try bench.send(.event(.start), to: "active", Context(renderID: "r1"), key: "k1")
    try bench.take(.fail, .start, .progress, of: "active")
    try bench.send(
      .event(.progress),
      to: "active",
      Context(renderID: "r2", bucketName: "b", progress: 10)
    )
    try bench.send(.event(.start), to: "failed", Context(renderID: "r3"))
    try bench.take(.fail, of: "failed")
    try bench.send(.event(.start), to: "failed", Context(renderID: "r4"))
    try bench.take(.fail, of: "failed")
    try shell.run("INSERT INTO leases VALUES ('n', 'h', 1, 9)")
    let before = try shell.dump()
    let message = shell.error(of: breach.sql)
    #expect(message?.contains(breach.message) == true, "\(message ?? "it passed")")
    #expect(try shell.dump() == before)
    #expect(try shell.rows("PRAGMA integrity_check") == ["\"ok\""])
  }

  // MARK: - A change by hand

  @Test("a legal change by hand lands in the log, numbered and dated, with actor sql")
  func changeByHand() throws {
    try bench.take(.start, .progress)
    try bench.take(.start, of: "other")
    try shell.run(
      """
      UPDATE renders SET state = 'failed', event = 'cancel', error = 'by hand',
        version = version + 1 WHERE id = 'video'
      """
    )
    let change = try #require(try bench.store.log().last)
    #expect((change.seq, change.id, change.version) == (4, "video", 3))
    #expect((change.event, change.previousState, change.state) == (.cancel, .rendering, .failed))
    #expect((change.actor, change.error, change.metadata) == ("sql", "by hand", nil))
    let render = try bench.store.render("video")
    #expect((render.state, render.version, render.seq) == (.failed, 3, 4))
    #expect(render.updatedAt == change.at)
    #expect(render.updatedAt >= Bench.noon)
    #expect(try bench.store.history(of: "video", after: 2, limit: 9).map(\.seq) == [4])
    #expect(try bench.send(.event(.start)).change?.seq == 5)
  }

  @Test("a change by hand is dated by the clock, unless the render was changed after that")
  func dateByHand() throws {
    bench.now = Timestamp(milliseconds: 1_000)
    try bench.take(.start)
    try bench.take(.start, of: "future")
    let shells = try #require(
      Int64(try shell.rows("SELECT CAST(unixepoch() AS INTEGER) * 1000")[0])
    )
    try shell.run("UPDATE renders SET state='rendering', event='progress', version=2 WHERE row=1")
    #expect(try bench.store.render("video").updatedAt.milliseconds >= shells)
    #expect(try bench.store.render("video").startedAt.milliseconds == 1_000)
    let future: Int64 = 9_000_000_000_000
    bench.now = Timestamp(milliseconds: future)
    try bench.take(.progress, of: "future")
    try shell.run("UPDATE renders SET event='progress', version=3 WHERE id='future'")
    #expect(try bench.store.render("future").updatedAt.milliseconds == future)
  }

  @Test("a deadline that a change by hand has put off is not brought on, nor by a clock set next")
  func openDeadline() throws {
    func follow(at moment: Timestamp, setBy jump: Int64) throws {
      let wall = moment.advanced(by: jump)
      let sinceBoot = moment.milliseconds(since: Bench.noon)
      try bench.store.write { transaction throws(StoreError) in
        try transaction.follow(ClockReading(wall: wall, sinceBoot: sinceBoot, boot: "this"))
        try transaction.failOverdue(at: wall, limit: 9)
      }
    }
    let timeouts = Timeouts(queued: nil, stall: 900_000, total: nil)
    try bench.send(.event(.start), timeouts: timeouts)
    try shell.run("UPDATE renders SET state='rendering', event='progress', version=2 WHERE row=1")
    try follow(at: bench.store.render("video").updatedAt, setBy: 0)
    try shell.run("UPDATE renders SET event = 'progress', version = 3 WHERE row = 1")
    let last = try bench.store.render("video").updatedAt
    // The last one brings the deadline to the time of the change.
    for jump in [7, 86_400_000, -3_600_000, -900_000] as [Int64] {
      try follow(at: last, setBy: jump)
      let render = try bench.store.render("video")
      #expect(render.state == .rendering)
      #expect(render.deadline?.at == last.advanced(by: 900_000 + jump))
    }
  }

  @Test("an actor named by hand is kept; key and metadata of the change before are not repeated")
  func actorByHand() throws {
    try bench.send(
      .event(.start),
      Context(metadata: .init(spelled: #"{"a":1}"#)),
      key: "k"
    )
    try shell.run(
      "UPDATE renders SET state='rendering', event='progress', version=2, actor='ops'"
    )
    let change = try #require(try bench.store.change(2))
    #expect((change.actor, change.metadata) == ("ops", nil))
    try shell.run("UPDATE renders SET event='progress', version=3")
    #expect(try bench.store.change(3)?.actor == "sql")
    #expect(try bench.send(.event(.start), key: "k").keyUse?.seq == 1)
    #expect(try bench.store.render("video").metadata.text == #"{"a":1}"#)
  }

  @Test("a renderId given by hand is fenced like any other")
  func renderIDByHand() throws {
    try bench.take(.start)
    try shell.run(
      "UPDATE renders SET state='rendering', event='progress', version=2, render_id='r'"
    )
    try bench.take(.fail)
    #expect(
      try bench.send(.event(.start), Context(renderID: "r")).refusal
        == .staleRender(renderID: "r")
    )
  }

  @Test("a start by hand gives a new attempt nothing of the one before: its renderId least of all")
  func startByHand() throws {
    try bench.send(.event(.start), Context(renderID: "r", bucketName: "b"))
    try bench.send(.event(.progress), Context(progress: 40))
    try bench.take(.fail)
    try shell.run("UPDATE renders SET \(Self.again)")
    let render = try bench.store.render("video")
    #expect((render.state, render.attempt, render.progress) == (.queued, 2, 0))
    #expect((render.renderID, render.bucketName) == (nil, nil))
    #expect(
      try bench.send(.event(.progress), Context(renderID: "r")).refusal
        == .staleRender(renderID: "r")
    )
    try bench.take(.fail)
    try shell.run("UPDATE renders SET \(Self.again), render_id = 's', bucket_name = 'b'")
    #expect(try bench.store.render("video").renderID == "s")
    #expect(try bench.store.log().last?.bucketName == "b")
  }

  @Test("progress by hand does not go back, and is 100 once completed")
  func progressByHand() throws {
    try bench.take(.start)
    try bench.send(.event(.progress), Context(progress: 40))
    try shell.run("UPDATE renders SET event = 'progress', progress = 30, version = 3")
    #expect(try bench.store.log().last?.progress == 40)
    try shell.run("UPDATE renders SET event = 'progress', progress = 50, version = 4")
    #expect(try bench.store.render("video").progress == 50)
    try shell.run("UPDATE renders SET state = 'completed', event = 'complete', version = 5")
    #expect(try bench.store.log().last?.progress == 100)
    #expect(try bench.store.render("video").progress == 100)
  }

  @Test("a render begun by hand with clocks has its deadline")
  func insertWithClocks() throws {
    let time = "CAST(unixepoch() * 1000 AS INTEGER)"
    try shell.run(
      """
      INSERT INTO renders (id, state, event, progress, metadata, run, attempt, version, seq,
        created_at, updated_at, started_at, queued_ms)
      VALUES ('video', 'queued', 'start', 0, '{}', 1, 1, 1, 1, \(time), \(time), \(time), 60000)
      """
    )
    let started = try bench.store.render("video").startedAt
    for (later, state) in [(59_999, State.queued), (60_000, .failed)] {
      try bench.store.write { transaction throws(StoreError) in
        try transaction.failOverdue(at: started.advanced(by: Int64(later)), limit: 10)
      }
      #expect(try bench.store.render("video").state == state)
    }
  }

  @Test("a lease is freed by hand, and the next holder has the next token")
  func leaseByHand() throws {
    func acquire(_ holder: String) throws -> (lease: Lease, isAcquired: Bool) {
      try bench.store.write { transaction throws(StoreError) in
        try transaction.acquireLease("n", holder: holder, milliseconds: 60_000, at: bench.now)
      }
    }
    #expect(try acquire("a").isAcquired)
    #expect(try !acquire("b").isAcquired)
    try shell.run("UPDATE leases SET expires_at = 0 WHERE name = 'n'")
    let (lease, isAcquired) = try acquire("b")
    #expect((isAcquired, lease.token) == (true, 2))
  }

  @Test("several renders are changed by one statement, each with a number of its own")
  func manyByHand() throws {
    for number in 0..<5 { try bench.take(.start, of: "video \(number)") }
    try shell.run(
      "UPDATE renders SET state='failed', event='cancel', error='', version=version+1"
    )
    #expect(try bench.store.log().map(\.seq) == Array(1...10))
    let seqs = try (0..<5).map { try bench.store.render("video \($0)").seq }
    #expect(seqs.sorted() == Array(6...10))
  }

  @Test("a start by hand begins the attempt's clocks, and its deadline is worked out anew")
  func deadlineByHand() throws {
    let timeouts = Timeouts(queued: nil, stall: nil, total: 60_000)
    try bench.send(.event(.start), timeouts: timeouts)
    try bench.take(.fail)
    #expect(try bench.store.firstDeadline() == nil)
    try shell.run(
      """
      UPDATE renders SET state='queued', event='start', error=NULL, progress=0,
        attempt=attempt+1, version=version+1
      """
    )
    let started = try bench.store.render("video").startedAt
    #expect(started == (try bench.store.render("video").updatedAt))
    #expect(try bench.store.firstDeadline() != nil)
    for (later, state) in [(0, State.queued), (59_999, .queued), (60_000, .failed)] {
      try bench.store.write { transaction throws(StoreError) in
        try transaction.failOverdue(at: started.advanced(by: Int64(later)), limit: 10)
      }
      #expect(try bench.store.render("video").state == state)
    }
  }

  @Test("an end by hand takes the deadline away")
  func endByHand() throws {
    try bench.send(.event(.start), timeouts: Timeouts(queued: 10, stall: nil, total: nil))
    try shell.run("UPDATE renders SET state='failed', event='fail', error='', version=2")
    #expect(try bench.store.firstDeadline() == nil)
  }

  @Test("metadata written on several lines, when that could be done by hand, is read on one")
  func metadataByHand() throws {
    try bench.take(.start)
    try shell.run(
      """
      DROP TRIGGER renders_guard_change;
      UPDATE renders SET state='rendering', event='progress', version=2,
        metadata='{' || char(10) || '  "a" : 1 }'
      """
    )
    #expect(try bench.store.render("video").metadata.text == #"{"a":1}"#)
  }

  // MARK: - An older version

  @Test("a store of version 2 gets the triggers of this one, with all that is in it")
  func version2() throws {
    let folder = try TemporaryFolder()
    let old = try Shell(folder.database)
    try old.run(
      """
      PRAGMA journal_mode = WAL;
      \(Repository.text("Tests/RenderStoreTests/Schema2.sql"))
      PRAGMA application_id = \(Schema.applicationID);
      PRAGMA user_version = 2;
      \(Self.insert("video"));
      UPDATE renders SET state = 'rendering', event = 'progress', version = 2, render_id = 'r';
      UPDATE renders SET state = 'failed', event = 'fail', error = '', version = 3;
      UPDATE renders SET \(Self.again);
      """
    )
    let log = try old.rows("SELECT seq, \(Self.copied), version FROM transitions")
    try old.close()
    let store = try RenderStore.open(folder.database)
    // Begun by hand then, with the renderId of the attempt before.
    #expect(try store.render("video").renderID == "r")
    store.close()
    let after = try Shell(folder.database)
    #expect(try after.rows("SELECT seq, \(Self.copied), version FROM transitions") == log)
    #expect(after.error(of: "UPDATE renders SET deadline_at = 1") != nil)
    let schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    #expect(try after.rows(schema) == shell.rows(schema))
    #expect(try after.rows("PRAGMA user_version") == ["\(Schema.version)"])
  }

  // MARK: - Plans

  @Test("every statement finds its rows by an index")
  func plans() throws {
    let statements = [
      RenderSQL.select, RenderSQL.insert, RenderSQL.update, RenderSQL.selectOverdue,
      RenderSQL.selectFirstDeadline, RenderSQL.updateDeadline, RenderSQL.listByState,
      ClockSQL.selectOpenDeadlines, ClockSQL.moveDeadlines,
      RenderSQL.listQuiet, RenderSQL.selectRow, RenderSQL.countByState, LogSQL.insert,
      LogSQL.insertRenderID, LogSQL.selectHead, LogSQL.selectChanges, LogSQL.selectChange,
      LogSQL.selectHistory, LogSQL.selectLatest, LogSQL.selectKeyUse, LogSQL.selectRenderID,
      FeedSQL.matching,
      FeedSQL.matchingIDs, FeedSQL.count, FeedSQL.countIDs, FeedSQL.newest, FeedSQL.newestIDs,
      FeedSQL.states, LeaseSQL.select, LeaseSQL.save, PrunedSQL.selectAny, PrunedSQL.selectAnyOfIDs,
      PrunedSQL.selectVersion, PrunedSQL.selectPlace, PrunedSQL.savePlace, PrunedSQL.saveNewest,
      PrunedSQL.saveNewestOfID, PrunedSQL.selectFinished, PrunedSQL.deleteRender,
      PrunedSQL.saveVersion, PrunedSQL.deleteChange, PrunedSQL.selectLinks,
      PrunedSQL.deleteProgress, PrunedSQL.relink, PrunedSQL.countFinished,
      PrunedSQL.selectFinishedBehind, PrunedSQL.countChain, PrunedSQL.selectProgress,
    ]
    for sql in statements {
      let plan = try shell.plan(of: sql)
      let scans = plan.filter { $0.contains("SCAN") }
      let isSorting = plan.contains { $0.contains("TEMP B-TREE") }
      // What is looked up one by one: the ids of a filter, and the changes of a chain.
      let mayScan = ["(subquery", "json_each", "chain", "earlier", "later", "CONSTANT ROW"]
      #expect(scans.allSatisfy { scan in mayScan.contains { scan.contains($0) } }, "\(plan) \(sql)")
      // A chain goes from the newest change downwards.
      #expect(!isSorting || sql.contains("chain"), "\(plan) \(sql)")
    }
  }
}
