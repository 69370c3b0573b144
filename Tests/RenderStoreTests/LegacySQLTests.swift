import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("Old SQL on the view legacy_renders")
struct LegacySQLTests {
  private let bench: Bench
  private let shell: Shell

  init() throws {
    bench = try Bench()
    shell = try Shell(bench.path)
    // As a program must that does not trust its databases; sqlite3 has it on by default.
    try shell.run("PRAGMA trusted_schema = OFF")
  }

  private static let columns = """
    processing_status, video_render_id, video_bucket_name, video_url, processing_error,
    processing_progress
    """

  /// The rows of a query, texts as SQL has them.
  private func rows(_ sql: String) throws -> [String] {
    try shell.rows(sql).map { $0.replacing("\"", with: "'") }
  }

  private func row(_ id: String = "video") throws -> [String] {
    try rows("SELECT \(Self.columns) FROM legacy_renders WHERE id = '\(id)'")
  }

  private func update(_ set: String, _ id: String = "video") -> String {
    "UPDATE legacy_renders SET \(set) WHERE id = '\(id)'"
  }

  /// The events in the log after a number, and the states they led to.
  private func events(after seq: Int64) throws -> [String] {
    try bench.store.changes(after: seq, limit: 100).map {
      "\($0.previousState) \($0.event) \($0.state)"
    }
  }

  // MARK: - Reading

  @Test("a row has the status by the mapping, and all else that an old table had")
  func reading() throws {
    for state in State.allCases {
      try bench.bring("\(state)", to: state)
      let expected = state.processingStatus.map { ["'\($0)'"] } ?? []
      let sql = "SELECT processing_status FROM legacy_renders WHERE id = '\(state)'"
      #expect(try rows(sql) == expected)
    }
    try bench.take(.start)
    let context = Context(renderID: "r", bucketName: "b", progress: 41.5)
    try bench.send(.event(.progress), context)
    #expect(try row() == ["'generating_video'|'r'|'b'|NULL|NULL|41.5"])
    try bench.send(.event(.complete), Context(videoURL: "https://v/1"))
    #expect(try row() == ["'completed'|'r'|'b'|'https://v/1'|NULL|100.0"])
    try bench.send(.event(.start), to: "late")
    try bench.send(.event(.fail), to: "late", Context(error: "it is broken"))
    #expect(try row("late") == ["'failed'|NULL|NULL|NULL|'it is broken'|0.0"])
    let time = "SELECT updated_at FROM legacy_renders WHERE id = 'late'"
    #expect(try rows(time) == ["'2026-11-22T12:00:00.000Z'"])
  }

  @Test("a row is found by its id, also where it is changed")
  func plans() throws {
    for sql in ["SELECT * FROM legacy_renders WHERE id = 'a'", update("processing_progress = 1")] {
      let plan = try shell.plan(of: sql)
      #expect(plan.contains { $0.contains("SEARCH renders USING INDEX") }, "\(plan)")
      #expect(!plan.contains { $0.contains("SCAN renders") }, "\(plan)")
    }
  }

  // MARK: - What becomes an event

  struct Story: Sendable, CustomTestStringConvertible {
    let from: State
    let set: String
    let events: [String]
    let row: String

    var testDescription: String { "\(from): \(set)" }
  }

  static let stories = [
    // A report of the renderer.
    Story(
      from: .queued,
      set: "video_render_id = 'r'",
      events: ["queued progress rendering"],
      row: "'generating_video'|'r'|NULL|NULL|NULL|0.0"
    ),
    Story(
      from: .queued,
      set: "processing_status = 'generating_video', video_render_id = 'r', video_bucket_name = 'b'",
      events: ["queued progress rendering"],
      row: "'generating_video'|'r'|'b'|NULL|NULL|0.0"
    ),
    Story(
      from: .rendering,
      set: "processing_progress = 40, updated_at = '2020-01-01'",
      events: ["rendering progress rendering"],
      row: "'generating_video'|NULL|NULL|NULL|NULL|40.0"
    ),
    // As columns with a type have it.
    Story(
      from: .queued,
      set: "processing_progress = '50', video_render_id = 7",
      events: ["queued progress rendering"],
      row: "'generating_video'|'7'|NULL|NULL|NULL|50.0"
    ),
    // The end.
    Story(
      from: .rendering,
      set: "video_url = 'u'",
      events: ["rendering complete completed"],
      row: "'completed'|NULL|NULL|'u'|NULL|100.0"
    ),
    Story(
      from: .rendering,
      set: "processing_status = 'completed', video_url = 'u', processing_progress = 99",
      events: ["rendering complete completed"],
      row: "'completed'|NULL|NULL|'u'|NULL|100.0"
    ),
    Story(
      from: .rendering,
      set: "processing_status = 'completed'",
      events: ["rendering complete completed"],
      row: "'completed'|NULL|NULL|NULL|NULL|100.0"
    ),
    Story(
      from: .rendering,
      set: "processing_status = 'failed'",
      events: ["rendering fail failed"],
      row: "'failed'|NULL|NULL|NULL|'Render failed'|0.0"
    ),
    Story(
      from: .queued,
      set: "processing_status = 'failed', processing_error = 'no', video_render_id = 'r'",
      events: ["queued fail failed"],
      row: "'failed'|'r'|NULL|NULL|'no'|0.0"
    ),
    Story(
      from: .rendering,
      set: "processing_status = 'failed', processing_error = '', processing_progress = NULL",
      events: ["rendering fail failed"],
      row: "'failed'|NULL|NULL|NULL|''|0.0"
    ),
    // Another attempt, another run.
    Story(
      from: .failed,
      set: "processing_status = 'generating_video'",
      events: ["failed start queued"],
      row: "'generating_video'|NULL|NULL|NULL|NULL|0.0"
    ),
    Story(
      from: .failed,
      set: """
        processing_status = 'generating_video', processing_error = NULL, processing_progress = 0,
        video_url = NULL
        """,
      events: ["failed start queued"],
      row: "'generating_video'|NULL|NULL|NULL|NULL|0.0"
    ),
    Story(
      from: .failed,
      set: "processing_status = 'generating_video', video_render_id = 'r', video_bucket_name = 'b'",
      events: ["failed start queued", "queued progress rendering"],
      row: "'generating_video'|'r'|'b'|NULL|NULL|0.0"
    ),
    Story(
      from: .completed,
      set: "processing_status = 'generating_video', video_url = NULL",
      events: ["idle start queued"],
      row: "'generating_video'|NULL|NULL|NULL|NULL|0.0"
    ),
    Story(
      from: .completed,
      set: "processing_status = 'generating_video', video_render_id = 'r', processing_progress = 3",
      events: ["idle start queued", "queued progress rendering"],
      row: "'generating_video'|'r'|NULL|NULL|NULL|3.0"
    ),
  ]

  @Test("an old UPDATE becomes the events that lead where it leads", arguments: stories)
  func events(of story: Story) throws {
    try bench.bring("video", to: story.from)
    let before = try bench.store.render("video")
    try shell.run(update(story.set))
    #expect(try events(after: before.seq) == story.events)
    #expect(try row() == [story.row])
    let changes = try bench.store.changes(after: before.seq, limit: 9)
    #expect(changes.allSatisfy { $0.actor == "sql" && $0.at >= Bench.noon })
    let after = try bench.store.render("video")
    #expect(after.version == before.version + Int64(story.events.count))
    #expect(after.seq == changes.last?.seq)
    let isNewRun = story.from == .completed
    let isNewAttempt = story.from == .failed
    #expect(after.run == before.run + (isNewRun ? 1 : 0))
    #expect(after.attempt == (isNewRun ? 1 : before.attempt + (isNewAttempt ? 1 : 0)))
  }

  @Test("progress does not go back, and tells all the same that the renderer is alive")
  func lessProgress() throws {
    try bench.take(.start)
    try bench.send(.event(.progress), Context(progress: 50))
    try shell.run(update("processing_progress = 20"))
    #expect(try events(after: 2) == ["rendering progress rendering"])
    #expect(try bench.store.render("video").progress == 50)
  }

  @Test("a new attempt has nothing of the one before, though the old columns are not named")
  func nothingLeft() throws {
    try bench.take(.start)
    let context = Context(renderID: "r1", bucketName: "b", progress: 60)
    try bench.send(.event(.progress), context)
    try bench.take(.fail)
    try shell.run(update("processing_status = 'generating_video'"))
    #expect(try row() == ["'generating_video'|NULL|NULL|NULL|NULL|0.0"])
  }

  @Test("an UPDATE that changes nothing is no change", arguments: State.allCases)
  func noChange(state: State) throws {
    try bench.bring("video", to: state)
    let before = try shell.dump()
    let columns = Self.columns.split(separator: ",").map { $0.filter { !$0.isWhitespace } }
    try shell.run(update(columns.map { "\($0) = \($0)" }.joined(separator: ", ")))
    try shell.run(update("updated_at = '2031-01-01', processing_error = processing_error"))
    #expect(try shell.dump() == before)
  }

  @Test("one UPDATE changes many renders, all or none")
  func many() throws {
    for number in 0..<5 { try bench.take(.start, of: "video \(number)") }
    let sql = """
      UPDATE legacy_renders SET processing_status = 'failed', processing_error = 'hung'
      WHERE processing_status = 'generating_video'
      """
    try shell.run(sql)
    #expect(try bench.store.counts().failed == 5)
    try bench.take(.start, .progress, .complete, of: "done")
    try bench.take(.start, of: "active")
    let before = try shell.dump()
    #expect(shell.error(of: "UPDATE legacy_renders SET processing_status = 'failed'") != nil)
    #expect(try shell.dump() == before)
  }

  @Test("a long error is cut to what the protocol allows", arguments: ["x", "é", "🎬"])
  func longError(character: String) throws {
    try bench.take(.start)
    let longest = String(repeating: character, count: 8_192 / character.utf8.count)
    for text in [longest, longest + "y"] {
      try shell.run(update("processing_status = 'failed', processing_error = '\(text)'"))
      let error = try #require(try bench.store.render("video").error)
      #expect(error.utf8.count <= 8_192)
      #expect(text == longest ? error == text : error.hasSuffix("\(character)…"))
      try bench.take(.start)
    }
  }

  // MARK: - INSERT

  @Test("an INSERT begins a render: queued, or rendering where the renderer is known")
  func insert() throws {
    try shell.run(
      """
      INSERT INTO legacy_renders (id, processing_status) VALUES ('a', 'generating_video'),
        (42, 'generating_video');
      INSERT INTO legacy_renders (id, processing_status, video_render_id, processing_progress)
        VALUES ('b', 'generating_video', 'r', 12.5);
      """
    )
    #expect(
      try events(after: 0) == [
        "idle start queued", "idle start queued", "idle start queued", "queued progress rendering",
      ]
    )
    #expect(try row("a") == ["'generating_video'|NULL|NULL|NULL|NULL|0.0"])
    #expect(try row("42").count == 1)
    #expect(try row("b") == ["'generating_video'|'r'|NULL|NULL|NULL|12.5"])
    let render = try bench.store.render("a")
    #expect((render.run, render.attempt, render.version) == (1, 1, 1))
    #expect(render.createdAt == render.updatedAt && render.createdAt >= Bench.noon)
    #expect(try bench.send(.event(.progress), to: "a").change?.seq == 5)
    #expect(try bench.store.log().prefix(4).allSatisfy { $0.actor == "sql" })
  }

  @Test(
    "an INSERT of an id whose render was pruned counts its versions on, and its renderIds are stale"
  )
  func insertAfterPruning() throws {
    try bench.send(.event(.start), Context(renderID: "r"))
    try bench.take(.fail)
    try bench.take(.start, of: "other")
    let all = Timestamp(milliseconds: .max)
    var pruning = try Pruning(bench.store, PruningLimits(finished: all, progress: nil))
    while try !pruning.step().isLast {}
    #expect(try row() == [])
    let sql = """
      INSERT INTO legacy_renders (id, processing_status, video_render_id)
      VALUES ('video', 'generating_video',
      """
    #expect(shell.error(of: sql + " 'r')") == "this video_render_id is of another attempt")
    try shell.run(sql + " 'r2')")
    #expect(try bench.store.render("video").version == 4)
    #expect(try row() == ["'generating_video'|'r2'|NULL|NULL|NULL|0.0"])
  }

  // MARK: - What is aborted

  static let breaches: [SchemaTests.Breach] =
    [
      ("processing_status = 'rendering'", "'generating_video', 'completed' or 'failed'"),
      ("processing_status = 'FAILED'", "'generating_video', 'completed' or 'failed'"),
      ("processing_status = NULL", "'generating_video', 'completed' or 'failed'"),
      ("processing_status = 1", "'generating_video', 'completed' or 'failed'"),
      ("processing_progress = 'abc'", "a number from 0 to 100"),
      ("processing_progress = 100.1", "a number from 0 to 100"),
      ("processing_progress = -1", "a number from 0 to 100"),
      ("processing_progress = 1e999", "a number from 0 to 100"),
      ("processing_progress = x'31'", "a number from 0 to 100"),
      ("processing_progress = NULL", "are not taken back"),
      ("video_render_id = NULL", "are not taken back"),
      ("video_bucket_name = NULL", "are not taken back"),
      ("video_render_id = ''", "video_render_id must be a text of 1 to 200 bytes"),
      ("video_render_id = x'41'", "video_render_id must be a text of 1 to 200 bytes"),
      ("video_bucket_name = 'a' || char(0)", "video_bucket_name must be a text of 1 to 200 bytes"),
      ("video_bucket_name = 'a' || char(10)", "without control characters"),
      ("video_bucket_name = char(159) || 'a'", "without control characters"),
      ("video_url = printf('%.2049c', 'x')", "video_url must be a text of 1 to 2048 bytes"),
      ("video_url = printf('%.1025c', 'é')", "video_url must be a text of 1 to 2048 bytes"),
      ("video_url = ''", "video_url must be a text of 1 to 2048 bytes"),
      ("processing_error = x'00', processing_status = 'failed'", "processing_error must be a text"),
      ("processing_error = 'e'", "processing_error goes with processing_status 'failed' only"),
      (
        "processing_error = 'e', processing_status = 'completed'",
        "processing_error goes with processing_status 'failed' only"
      ),
      (
        "video_url = 'u', processing_status = 'failed'",
        "video_url goes with processing_status 'completed' only"
      ),
      ("id = 'other'", "id stays"),
      ("id = NULL", "id stays"),
      ("video_render_id = 'r9'", "this video_render_id is of another attempt"),
      ("video_render_id = 'r0', video_url = 'u'", "this video_render_id is of another attempt"),
    ].map { SchemaTests.Breach("UPDATE legacy_renders SET \($0) WHERE id = 'active'", $1) }
    + [
      ("processing_status = 'completed'", "set video_render_id first"),
      ("video_url = 'u'", "set video_render_id first"),
      ("video_url = 'u', video_render_id = 'r'", "set video_render_id first"),
      ("video_render_id = 'r0'", "this video_render_id is of another attempt"),
    ].map { SchemaTests.Breach("UPDATE legacy_renders SET \($0) WHERE id = 'queued'", $1) }
    + [
      "processing_status = 'failed'", "video_url = 'other'", "video_url = NULL",
      "processing_progress = 3", "video_render_id = 'r'", "processing_error = 'e'",
    ].map {
      let sql = "UPDATE legacy_renders SET \($0) WHERE id = 'done'"
      return SchemaTests.Breach(sql, "a completed run is not edited")
    }
    + [
      "processing_status = 'completed'", "video_url = 'u'", "processing_error = 'other'",
      "processing_error = NULL", "processing_progress = 3", "video_render_id = 'r'",
    ].map {
      let sql = "UPDATE legacy_renders SET \($0) WHERE id = 'broken'"
      return SchemaTests.Breach(sql, "a failed attempt is not edited")
    }
    + [
      ("video_url = 'u'", "video_url goes with processing_status 'completed' only"),
      ("processing_error = 'e'", "processing_error goes with processing_status 'failed' only"),
      ("video_render_id = 'r0'", "this video_render_id is of another attempt"),
      ("processing_progress = 'abc'", "a number from 0 to 100"),
    ].map {
      let set = "processing_status = 'generating_video', \($0)"
      return SchemaTests.Breach("UPDATE legacy_renders SET \(set) WHERE id = 'broken'", $1)
    }
    + [
      ("'new', NULL", "a row begins with processing_status 'generating_video'"),
      ("'new', 'completed'", "for rows that have ended there is renderstate import-legacy"),
      ("'new', 'queued'", "a row begins with processing_status 'generating_video'"),
      ("'active', 'generating_video'", "this id has a row already: update it"),
      ("NULL, 'generating_video'", "id must be a text of 1 to 200 bytes"),
      ("'', 'generating_video'", "id must be a text of 1 to 200 bytes"),
      ("x'41', 'generating_video'", "id must be a text of 1 to 200 bytes"),
      ("1.5, 'generating_video'", "id must be a text of 1 to 200 bytes"),
      ("printf('%.201c', 'x'), 'generating_video'", "id must be a text of 1 to 200 bytes"),
    ].map {
      SchemaTests.Breach("INSERT INTO legacy_renders (id, processing_status) VALUES (\($0))", $1)
    }
    + [
      SchemaTests.Breach(
        """
        INSERT INTO legacy_renders (id, processing_status, video_url)
        VALUES ('new', 'generating_video', 'u')
        """,
        "set video_render_id first"
      ),
      SchemaTests.Breach(
        """
        INSERT INTO legacy_renders (id, processing_status, processing_progress)
        VALUES ('new', 'generating_video', 'abc')
        """,
        "a number from 0 to 100"
      ),
      SchemaTests.Breach("DELETE FROM legacy_renders", "renders are not deleted"),
      SchemaTests.Breach("DELETE FROM legacy_renders WHERE id = 'done'", "renders are not deleted"),
    ]

  /// Renders in every state, and a renderId that an earlier attempt of each has had.
  private func makeRenders() throws {
    for id in ["active", "queued", "done", "broken"] {
      try bench.send(.event(.start), to: id, Context(renderID: "r0"))
      try bench.take(.fail, .start, of: id)
    }
    let context = Context(renderID: "r1", bucketName: "b", progress: 10)
    for id in ["active", "done", "broken"] { try bench.send(.event(.progress), to: id, context) }
    try bench.send(.event(.complete), to: "done", Context(videoURL: "u1"))
    try bench.send(.event(.fail), to: "broken", Context(error: "e1"))
  }

  @Test(
    "what the machine does not know is aborted with the reason, and nothing has changed",
    arguments: breaches
  )
  func breach(breach: SchemaTests.Breach) throws {
    try makeRenders()
    let before = try shell.dump()
    for resolution in ["", "OR IGNORE", "OR REPLACE", "OR FAIL"] {
      let verb = breach.sql.prefix { $0 != " " }
      guard verb != "DELETE" || resolution == "" else { continue }
      let sql = "\(verb) \(resolution)\(breach.sql.dropFirst(verb.count))"
      let message = shell.error(of: sql)
      #expect(message?.contains(breach.message) == true, "\(sql): \(message ?? "it passed")")
      #expect(try shell.dump() == before)
    }
  }

  @Test("whatever is written is read back, or aborted; nothing is dropped in silence")
  func everyCombination() throws {
    try makeRenders()
    let values = [
      ["processing_status", "'generating_video'", "'completed'", "'failed'"],
      ["video_render_id", "NULL", "'r2'"],
      ["video_url", "NULL", "'u2'"], ["processing_error", "NULL", "'e2'"],
      ["processing_progress", "0", "70"],
    ]
    var sets = [""]
    for column in values {
      sets = sets.flatMap { set in
        [set] + column.dropFirst().map { "\(set.isEmpty ? "" : set + ", ")\(column[0]) = \($0)" }
      }
    }
    var passed = 0
    for id in ["active", "queued", "done", "broken"] {
      let before = try shell.dump()
      for set in sets where !set.isEmpty {
        try shell.run("SAVEPOINT attempt")
        if shell.error(of: update(set, id)) == nil {
          passed += 1
          let isEnd = try row(id)[0].hasPrefix("'generating") == false
          for assignment in set.split(separator: ", ").map({ $0.split(separator: " = ") }) {
            let (column, value) = (assignment[0], assignment[1])
            // An end has its own progress; and a video completes, as NULL does not take it back.
            if column == "processing_progress" || value == "NULL" && isEnd { continue }
            let read = try rows("SELECT \(column) FROM legacy_renders WHERE id = '\(id)'")
            let isCompleted = column == "processing_status" && set.contains("'u2'")
            #expect(read == ["\(value)"] || isCompleted, "\(id): \(set)")
          }
          #expect(
            try shell.rows("SELECT 1 FROM renders WHERE seq > (SELECT max(seq) FROM transitions)")
              == []
          )
        } else {
          #expect(try shell.dump() == before, "\(id): \(set)")
        }
        try shell.run("ROLLBACK TO attempt; RELEASE attempt")
      }
    }
    #expect(passed > 20)
  }

  @Test("a claim is told by what it returns: a view counts no changed rows")
  func returning() throws {
    try bench.bring("video", to: .failed)
    let claim = """
      UPDATE legacy_renders SET processing_status = 'generating_video'
      WHERE id = 'video' AND processing_status <> 'generating_video' RETURNING id
      """
    #expect(try rows(claim) == ["'video'"])
    #expect(try shell.rows("SELECT changes()") == ["0"])
    #expect(try rows(claim) == [])
  }
}
