import Foundation
import JSON
import RenderModel
import RenderStore
import Support
import Testing

@testable import renderstate

@Suite("renderstate import-legacy")
struct ImportLegacyTests {
  private let folder: TemporaryFolder
  private let source: String

  init() throws {
    folder = try TemporaryFolder()
    source = folder.path("old.sqlite")
    try RenderStore.open(path: folder.database, logger: .silent).close()
  }

  /// An old table with a row of every kind.
  private func makeSource(_ more: String = "") throws {
    try SidecarProcess.sqlite3(
      source,
      """
      CREATE TABLE patch_notes (id TEXT PRIMARY KEY, title TEXT, processing_status TEXT,
        video_render_id TEXT, video_bucket_name TEXT, video_url TEXT, processing_error TEXT,
        processing_progress REAL, updated_at TEXT);
      INSERT INTO patch_notes VALUES
        ('n1', 'one', 'completed', 'r-1', 'videos', 'https://v.example/n1.mp4', NULL, 100, '2026'),
        ('n2', 'two', 'generating_video', 'r-2', 'videos', NULL, NULL, 40.5, '2026'),
        ('n3', 'three', 'generating_video', '', '', '', '', 0, '2026'),
        ('n4', 'four', 'failed', NULL, NULL, NULL, 'Rate limit exceeded', NULL, '2026'),
        ('n5', 'five', 'failed', 'r-5', 'videos', NULL, NULL, 12, '2026'),
        ('n6', 'six', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('n7', 'seven', 'pending', NULL, NULL, NULL, NULL, NULL, NULL),
        ('n8', 'eight', 'completed', NULL, NULL, NULL, NULL, NULL, NULL);
      \(more)
      """
    )
  }

  private func run(_ arguments: String...) throws -> SidecarProcess.Outcome {
    try SidecarProcess.run(
      [
        "import-legacy", "--from", source, "--table", "patch_notes", "--database", folder.database,
      ] + arguments,
      environment: ["SUDO_USER": "ada"]
    )
  }

  /// The counts that it ends with.
  private func report(_ arguments: String..., exit: Int32 = 0) throws -> JSON {
    let outcome = try SidecarProcess.run(
      [
        "import-legacy", "--from", source, "--table", "patch_notes", "--database", folder.database,
        "--json",
      ] + arguments
    )
    #expect(outcome.exit == .code(exit), "\(outcome.errors)")
    return try JSON(reading: String(try #require(outcome.output.split(separator: "\n").last)))
  }

  private func use<Result>(_ body: (RenderStore) throws -> Result) throws -> Result {
    let store = try RenderStore.open(existing: folder.database, for: .reading, logger: .silent)
    defer { store.close() }
    return try body(store)
  }

  private func render(_ id: String) throws -> Render {
    try use { try $0.render(id) }
  }

  private var counts: RenderCounts {
    get throws { try use { try $0.counts() } }
  }

  private var log: [String] {
    get throws {
      try use { store in
        try store.changes(after: 0, limit: 1_000).map { "\($0.id) \($0.event) \($0.state)" }
      }
    }
  }

  // MARK: - What is taken over

  @Test("each row goes through the events its render would have had, with all it knows")
  func taking() throws {
    try makeSource()
    let outcome = try run()
    #expect(outcome.exit == .code(0))
    #expect(outcome.errors == "")
    #expect(
      try log == [
        "n1 start queued", "n1 progress rendering", "n1 complete completed",
        "n2 start queued", "n2 progress rendering", "n3 start queued",
        "n4 start queued", "n4 fail failed",
        "n5 start queued", "n5 progress rendering", "n5 fail failed",
      ]
    )
    let renders = try (1...8).map { try render("n\($0)") }
    #expect(
      renders.map(\.state) == [
        .completed, .rendering, .queued, .failed, .failed, .idle, .idle, .idle,
      ]
    )
    #expect(renders[0].videoURL == "https://v.example/n1.mp4")
    #expect((renders[1].renderID, renders[1].bucketName) == ("r-2", "videos"))
    #expect(renders[1].progress == 40.5)
    #expect((renders[2].renderID, renders[2].bucketName) == (nil, nil))
    #expect(renders[3].error == "Rate limit exceeded")
    #expect((renders[4].error, renders[4].renderID) == ("Render failed", "r-5"))
    let changes = try use { try $0.changes(after: 0, limit: 99) }
    #expect(changes.allSatisfy { $0.actor == "cli:ada" })
  }

  @Test("what it says, for people and for programs, done, refused and rehearsed")
  func output() throws {
    try makeSource(
      """
      INSERT INTO patch_notes (id, processing_status, video_url, processing_progress) VALUES
        ('n9', 'completed', printf('%.3000c', 'x'), 100),
        ('n10', 'completed', 'https://v.example/n10.mp4', 101),
        (NULL, 'failed', NULL, NULL), (NULL, 'failed', NULL, NULL);
      """
    )
    let store = try RenderStore.open(path: folder.database, logger: .silent)
    try store.write { transaction throws(StoreError) in
      for event in [Event.start, .progress, .cancel] {
        let command = Command(id: "n2", action: .event(event), actor: "host")
        _ = try transaction.apply(command, at: OperatedStore.now)
      }
    }
    store.close()
    var text = ""
    for arguments in [["--dry-run"], [], [], ["--json"]] {
      let outcome = try SidecarProcess.run(
        [
          "import-legacy", "--from", "old.sqlite", "--table", "patch_notes", "--database",
          "store.sqlite",
        ] + arguments,
        folder: folder.url.path
      )
      #expect(outcome.exit == .code(2))
      #expect(outcome.errors == "")
      text += "$ " + (["import-legacy"] + arguments).joined(separator: " ") + "\n" + outcome.output
    }
    try Golden.expect(text, in: "Output/import-legacy.txt")
  }

  @Test("a rehearsal counts what would be done, and changes neither database")
  func dryRun() throws {
    try makeSource()
    let before = try Data(contentsOf: URL(filePath: source))
    let rehearsed = try report("--dry-run")
    #expect(try log == [])
    #expect(rehearsed["dryRun"]?.compactText == "true")
    let done = try report()
    for name in ["rows", "taken", "changes", "present", "kept", "refused"] {
      #expect(rehearsed[name]?.whole == done[name]?.whole, "\(name)")
    }
    #expect(done["taken"]?.whole == 5 && done["changes"]?.whole == 11)
    #expect(try Data(contentsOf: URL(filePath: source)) == before)
  }

  @Test("names of columns are as the options say, an empty one says that there is none")
  func columns() throws {
    try SidecarProcess.sqlite3(
      source,
      """
      CREATE TABLE patch_notes (number INTEGER PRIMARY KEY, "the ""s"" state" TEXT, "order" TEXT);
      INSERT INTO patch_notes VALUES (7, 'generating_video', 'r-7'), (8, 'completed', NULL);
      """
    )
    let done = try report(
      "--id",
      "NUMBER",
      "--status",
      #"the "s" state"#,
      "--render-id",
      "order",
      "--bucket-name",
      "",
      "--video-url",
      "",
      "--error",
      "",
      "--progress",
      ""
    )
    #expect(done["taken"]?.whole == 2)
    #expect(try render("7").renderID == "r-7")
    #expect(try render("8").state == .completed)
  }

  @Test("what is under way has the timeouts given, and a sidecar watches over them")
  func timeouts() throws {
    try makeSource()
    let sidecar = try SidecarProcess(serving: folder.database, ["--total-timeout", "1h"])
    _ = try sidecar.call("subscribe", #"{"ids":["n3"]}"#)
    _ = try report("--queued-timeout", "1ms")
    #expect(try sidecar.notification().string("params", "change", "event") == "start")
    let change = try #require(sidecar.notification().json?["params", "change"])
    #expect(change["actor"]?.text == "watchdog")
  }

  // MARK: - Again

  @Test("run again, nothing is done twice")
  func again() throws {
    try makeSource()
    _ = try report()
    let before = try log
    let second = try report()
    #expect(second["taken"]?.whole == 0 && second["present"]?.whole == 5)
    #expect(try log == before)
  }

  @Test("a row that has gone on is followed, as long as nobody else has changed its render")
  func following() throws {
    try makeSource()
    _ = try report()
    try SidecarProcess.sqlite3(
      source,
      """
      UPDATE patch_notes SET processing_status = 'completed', video_url = 'u' WHERE id = 'n2';
      UPDATE patch_notes SET video_render_id = 'r-3' WHERE id = 'n3';
      """
    )
    let second = try report()
    #expect(second["taken"]?.whole == 2 && second["changes"]?.whole == 2)
    #expect(try log.suffix(2) == ["n2 complete completed", "n3 progress rendering"])
    #expect(try render("n3").renderID == "r-3")
  }

  @Test("what the store knows better is kept, and told")
  func keeping() throws {
    try makeSource()
    _ = try report()
    // The store goes on with n3, and the old table with n3, n1 and n4.
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("n3", "progress", #","context":{"renderId":"new"}"#)
    #expect(try sidecar.stop() == .code(0))
    try SidecarProcess.sqlite3(
      source,
      """
      UPDATE patch_notes SET processing_status = 'failed' WHERE id = 'n3';
      UPDATE patch_notes SET processing_status = 'generating_video', video_render_id = 'r-9'
        WHERE id IN ('n1', 'n4');
      """
    )
    let before = try log
    let outcome = try run("--json")
    #expect(outcome.exit == .code(0))
    #expect(try log == before)
    let lines = try outcome.output.split(separator: "\n").map { try JSON(reading: String($0)) }
    #expect(lines.dropLast().map { $0["outcome"]?.text } == ["kept", "kept", "kept"])
    #expect(
      lines.dropLast().map { "\($0["id"]?.text ?? ""): \($0["reason"]?.text ?? "")" } == [
        """
        n1: completed (https://v.example/n1.mp4) in the store, rendering (r-9) in the table
        """,
        "n3: rendering (new) in the store, failed in the table",
        "n4: failed in the store, rendering (r-9) in the table",
      ]
    )
    #expect(lines.last?["kept"]?.whole == 3 && lines.last?["present"]?.whole == 2)
  }

  @Test("what was pruned after it was taken over does not come back")
  func afterPruning() throws {
    try makeSource()
    _ = try report()
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("newest", "start")
    #expect(try sidecar.stop() == .code(0))
    let arguments = ["prune", "--finished-before", "0", "--database", folder.database]
    #expect(try SidecarProcess.run(arguments).exit == .code(0))
    #expect(try render("n1").state == .idle)
    let before = try log
    let outcome = try run()
    #expect(outcome.exit == .code(0))
    #expect(
      outcome.output.hasPrefix(
        "kept     n1: pruned in the store, completed (https://v.example/n1.mp4) in the table\n"
      )
    )
    #expect(try log == before)
  }

  @Test("many rows are taken over in groups, beside a sidecar that works, and each is told of")
  func many() throws {
    try SidecarProcess.sqlite3(
      source,
      """
      CREATE TABLE patch_notes (id TEXT, processing_status TEXT, video_render_id TEXT,
        video_bucket_name TEXT, video_url TEXT, processing_error TEXT, processing_progress REAL);
      INSERT INTO patch_notes
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        SELECT 'note ' || i, 'completed', 'r' || i, 'b', 'u' || i, NULL, 100 FROM n;
      """
    )
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.call("subscribe", #"{"states":["completed"]}"#)
    let done = try report()
    #expect(done["taken"]?.whole == 2_000 && done["changes"]?.whole == 6_000)
    var seen: Set<String> = []
    while seen.count < 2_000 {
      seen.insert(try #require(sidecar.notification().string("params", "change", "id")))
    }
    #expect(try sidecar.transition("other", "start").integer("result", "seq") == 6_001)
  }

  @Test("a killed import leaves whole groups, and the next run takes the rest over")
  func killed() throws {
    try SidecarProcess.sqlite3(
      source,
      """
      CREATE TABLE patch_notes (id TEXT, processing_status TEXT, video_render_id TEXT,
        video_bucket_name TEXT, video_url TEXT, processing_error TEXT, processing_progress REAL);
      INSERT INTO patch_notes
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        SELECT i, 'generating_video', 'r' || i, 'b', NULL, NULL, 5 FROM n;
      """
    )
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.call("subscribe")
    let killed = try SidecarProcess(
      SidecarProcess.Launch([
        "import-legacy", "--from", source, "--table", "patch_notes", "--database", folder.database,
      ])
    )
    _ = try sidecar.notification()
    killed.kill()
    _ = try killed.exit()
    let taken = try counts
    #expect(taken.queued == 0 && taken.rendering > 0)
    let rest = try report()
    #expect(rest["present"]?.whole == taken.rendering)
    #expect(rest["taken"]?.whole == 20_000 - taken.rendering)
  }

  // MARK: - Bad input

  @Test("a row that cannot be taken is refused by its id, with the reason; the others are taken")
  func refusedRows() throws {
    try SidecarProcess.sqlite3(
      source,
      """
      CREATE TABLE patch_notes (id, processing_status, video_render_id, video_bucket_name,
        video_url, processing_error, processing_progress);
      INSERT INTO patch_notes (id, processing_status, video_render_id, video_url,
        processing_progress) VALUES
        (NULL, 'failed', NULL, NULL, NULL), ('', 'failed', NULL, NULL, NULL),
        (x'00ff', 'failed', NULL, NULL, NULL), (1.5, 'failed', NULL, NULL, NULL),
        (CAST(x'ff' AS TEXT), 'failed', NULL, NULL, NULL),
        (printf('%.201c', 'x'), 'failed', NULL, NULL, NULL),
        ('line' || char(10), 'failed', NULL, NULL, NULL),
        ('twice', 'failed', NULL, NULL, NULL), ('twice', 'completed', NULL, 'u', NULL),
        ('p1', 'generating_video', 'r', NULL, 'abc'), ('p2', 'generating_video', 'r', NULL, -1),
        ('p3', 'generating_video', 'r', NULL, 9e999), ('r1', 'generating_video', x'00', NULL, 0),
        ('r2', 'generating_video', printf('%.201c', 'x'), NULL, 0),
        ('u1', 'completed', NULL, printf('%.2049c', 'x'), 0),
        ('u2', 'completed', NULL, 'a' || char(7), 0),
        (17, 'failed', 4, NULL, 12), ('good', 'generating_video', 'r', NULL, '41.5');
      """
    )
    let outcome = try run("--json")
    #expect(outcome.exit == .code(2))
    let lines = try outcome.output.split(separator: "\n").map { try JSON(reading: String($0)) }
    let reasons = Dictionary(
      lines.dropLast().map { ($0["id"]?.text ?? "none", $0["reason"]?.text ?? "") },
      uniquingKeysWith: { "\($0); \($1)" }
    )
    let name = "must be a text in UTF-8 or a whole number"
    let progress = "processing_progress: it must be a number from 0 to 100"
    #expect(reasons["none"]?.contains("there is no id; ") == true)
    #expect(reasons["none"]?.contains("id: it \(name)") == true)
    #expect(reasons["line\n"] == "id: it must have no control characters")
    #expect(reasons["twice"] == "2 rows have this id")
    #expect([reasons["p1"], reasons["p2"], reasons["p3"]] == [progress, progress, progress])
    #expect(reasons["r1"] == "video_render_id: it \(name)")
    #expect(
      reasons["r2"] == "video_render_id: it must have 1 to 200 bytes in UTF-8, it has 201"
    )
    #expect(reasons["u1"] == "video_url: it must have 1 to 2048 bytes in UTF-8, it has 2049")
    #expect(reasons["u2"] == "video_url: it must have no control characters")
    #expect(lines.last?["refused"]?.whole == 16 && lines.last?["taken"]?.whole == 2)
    #expect(try counts.failed == 1)
    #expect(try counts.rendering == 1)
    #expect(try render("17").renderID == "4")
    #expect(try render("good").progress == 41.5)
  }

  @Test("a source that cannot be read is a line on stderr and code 1, and nothing is done")
  func unusableSource() throws {
    try makeSource()
    try Data("not a database, though long enough".utf8).write(
      to: URL(filePath: folder.path("text"))
    )
    try Data().write(to: URL(filePath: folder.path("empty")))
    let own = folder.database
    for (file, table, arguments, words) in [
      (folder.path("missing"), "patch_notes", [], "No such file or directory"),
      (folder.url.path, "patch_notes", [], "is not a file"),
      (folder.path("text"), "patch_notes", [], "is not an SQLite database"),
      (folder.path("empty"), "patch_notes", [], "has no table patch_notes; it has none"),
      (own, "renders", [], "is a database of renderstate itself"),
      (source, "notes", [], "has no table notes; it has patch_notes"),
      (source, "sqlite_master; DROP TABLE patch_notes", [], "has no table sqlite_master; DROP"),
      (source, "patch_notes", ["--status", "state"], "has no column state; it has id, title, "),
      (source, "patch_notes", ["--id", "rowid"], "has no column rowid; it has id, title, "),
    ] {
      let outcome = try SidecarProcess.run(
        ["import-legacy", "--from", file, "--table", table, "--database", own] + arguments
      )
      #expect(outcome.exit == .code(1))
      #expect(outcome.output == "")
      #expect(outcome.errors.hasPrefix("renderstate: ") && outcome.errors.contains(words))
      #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    }
    #expect(try log == [])
  }

  @Test("a source that is locked, and a store that is not there, are a line and code 1")
  func locked() throws {
    try makeSource()
    var launch = SidecarProcess.Launch([source])
    launch.program = "sqlite3"
    let shell = try SidecarProcess(launch)
    try shell.send("BEGIN EXCLUSIVE; SELECT json_object('locked', 1);")
    _ = try shell.receive()
    let outcome = try run()
    #expect(outcome.exit == .code(1))
    #expect(outcome.errors.contains("old.sqlite is locked by another program"))
    shell.closeInput()
    _ = try shell.exit()
    let missing = try SidecarProcess.run([
      "import-legacy", "--from", source, "--table", "patch_notes", "--database",
      folder.path("missing"),
    ])
    #expect(missing.exit == .code(1))
    #expect(missing.errors.contains("there is no database"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("missing")))
  }

  @Test("arguments that say too little are wrong usage")
  func wrongArguments() throws {
    for (arguments, words) in [
      (["--table", "t"], "Missing expected argument '--from"),
      (["--from", source], "Missing expected argument '--table"),
      (["--from", source, "--table", "t", "--id", ""], "--id and --status must name columns"),
      (["--from", source, "--table", "t", "--stall-timeout", "soon"], "--stall-timeout"),
    ] {
      let outcome = try SidecarProcess.run(["import-legacy"] + arguments)
      #expect(outcome.exit == .code(64))
      #expect(outcome.errors.contains(words), "\(outcome.errors)")
    }
  }
}
