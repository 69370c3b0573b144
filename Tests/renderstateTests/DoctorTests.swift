import Foundation
import Glibc
import JSON
import RenderModel
import RenderStore
import Sidecar
import Support
import Testing

@testable import renderstate

@Suite("renderstate doctor")
struct DoctorTests {
  private let folder: UpkeepFolder

  init() throws {
    folder = try UpkeepFolder()
  }

  /// What is found wrong with the database, as `check: message`.
  private func problems(
    _ level: String = "problem",
    _ arguments: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [String] {
    let outcome = try SidecarProcess.run(
      ["doctor", "--json", "--database", folder.database] + arguments
    )
    let findings = try outcome.output.split(separator: "\n").map { try JSON(reading: String($0)) }
    #expect(outcome.errors == "", sourceLocation: sourceLocation)
    let isWrong = findings.contains { $0["level"]?.text == "problem" }
    #expect(outcome.exit == .code(isWrong ? 1 : 0), sourceLocation: sourceLocation)
    for finding in findings where finding["level"]?.text != "ok" {
      #expect(finding["advice"]?.text?.isEmpty == false, sourceLocation: sourceLocation)
    }
    return findings.filter { $0["level"]?.text == level }.map {
      "\($0["check"]?.text ?? ""): \($0["message"]?.text ?? "")"
    }
  }

  /// A sound database: what has just been made is not stuck.
  private func makeSound() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    for (id, event) in [
      ("a", "start"), ("a", "progress"), ("b", "start"), ("a", "complete"), ("b", "fail"),
      ("b", "start"),
    ] {
      let context = event == "progress" ? #","context":{"renderId":"r","progress":5}"# : ""
      #expect(try sidecar.transition(id, event, context).errorCode == nil)
    }
    #expect(try sidecar.stop() == .code(0))
  }

  @Test("what is examined is told line by line, with what to do (re-made with REGENERATE)")
  func output() throws {
    let database = try OperatedStore(at: folder.database)
    let reader = try StoreReader(path: database.path)
    defer { reader.close() }
    func common(_ text: String) -> String {
      text.replacing(RenderStore.sqliteVersion, with: "3.x.y")
        .replacing(reader.path, with: "/srv/renders.sqlite")
        .replacing(/schema [0-9]+/, with: "schema 1")
    }
    let examination = Examination(
      of: reader,
      isQuick: false,
      at: OperatedStore.now,
      times: .ago(from: OperatedStore.now)
    )
    let presentation = Presentation(
      paint: Paint(isOn: false),
      times: .ago(from: OperatedStore.now),
      width: nil
    )
    // Whether SQLite has the bug is this machine's affair.
    let lines = examination.lines(presentation).map(common)
    let bug = lines.firstIndex { $0.contains("WAL-reset bug") }
    let others = lines.enumerated().filter { bug == nil || ($0.0 != bug && $0.0 != (bug ?? 0) + 1) }
    let text = others.map { $0.element.replacing(/, [12] notes?/, with: "") + "\n" }.joined()
    try Golden.expect(text, in: "Output/doctor.txt")
    #expect(examination.problems == 1)
  }

  @Test("beside sidecars at work everything is sound, and nothing is changed")
  func sound() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("a", "start")
    #expect(try problems() == [])
    #expect(try problems("problem", ["--quick"]) == [])
    #expect(try problems("note").allSatisfy { $0.contains("WAL-reset bug") })
    #expect(try sidecar.transition("a", "progress").integer("result", "version") == 2)
  }

  @Test("a legal change by hand is sound")
  func byHand() throws {
    try makeSound()
    try SidecarProcess.sqlite3(
      folder.database,
      """
      UPDATE renders SET state = 'failed', event = 'cancel', error = 'by hand',
        version = version + 1 WHERE id = 'b';
      UPDATE renders SET state = 'queued', event = 'start', error = NULL, video_url = NULL,
        run = run + 1, attempt = 1, render_id = 'r2', version = version + 1 WHERE id = 'a';
      """
    )
    // Until a sidecar looks at them, their deadline is the moment of the change.
    #expect(try problems() == [])
  }

  private static let log =
    "DROP TRIGGER transitions_no_edit; DROP TRIGGER transitions_no_delete;"

  @Test(
    "what nobody may do to the log or to a render is found",
    arguments: [
      (
        "UPDATE transitions SET state = 'failed' WHERE seq = 2", "progress in state queued does not"
      ),
      (
        "UPDATE transitions SET previous_state = 'queued' WHERE seq = 4", "complete in state queued"
      ),
      ("UPDATE transitions SET event = 'dance' WHERE seq = 2", "does not exist"),
      ("UPDATE transitions SET version = 7 WHERE seq = 2", "version 7 comes after version 1"),
      ("UPDATE transitions SET run = 3 WHERE seq = 2", "run 3 comes after run 1"),
      ("UPDATE transitions SET attempt = 5 WHERE seq = 2", "attempt 5 comes after attempt 1"),
      ("UPDATE transitions SET at = 0 WHERE seq = 2", "dated before"),
      ("UPDATE transitions SET previous_seq = 3 WHERE seq = 4", "one of another render"),
      ("UPDATE transitions SET previous_seq = 0 WHERE seq = 4", "nothing goes before it"),
      ("UPDATE transitions SET render_id = 'x' WHERE seq = 2", "not among those the render ever"),
      ("UPDATE transitions SET video_url = 'u' WHERE seq = 4", "the log says another videoUrl"),
      ("DELETE FROM transitions WHERE seq = 2", "changes are missing, the first of them 2"),
      ("DELETE FROM transitions WHERE seq = 6", "its last change is not in the log"),
      ("UPDATE renders SET progress = 42 WHERE id = 'a'", "the log says another progress"),
      ("UPDATE renders SET version = 9, seq = 1 WHERE id = 'a'", "the log says another version"),
      ("UPDATE renders SET metadata = '{x}' WHERE id = 'a'", "its metadata is no JSON"),
      ("DELETE FROM renders WHERE id = 'b'", "the log has 6 changes, and the renders 3"),
    ]
  )
  func tampering(sql: String, words: String) throws {
    try makeSound()
    let schema = try SidecarProcess.sqlite3(
      folder.database,
      "SELECT sql || ';' FROM sqlite_schema WHERE type = 'trigger'"
    )
    let names = try SidecarProcess.sqlite3(
      folder.database,
      "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_schema WHERE type = 'trigger'"
    )
    try SidecarProcess.sqlite3(folder.database, "\(names) \(sql); \(schema)")
    let found = try problems()
    #expect(found.contains { $0.hasPrefix("log: ") && $0.contains(words) }, "\(found)")
    #expect(try problems("problem", ["--quick"]) == [], "without the log nobody sees it")
  }

  @Test(
    "a schema that was changed is found, and what others have added is a note",
    arguments: [
      ("DROP TRIGGER renders_change", "problem", "trigger renders_change is missing"),
      ("DROP INDEX renders_by_state", "problem", "index renders_by_state is missing"),
      (
        "DROP INDEX renders_by_state; CREATE INDEX renders_by_state ON renders (state)", "problem",
        "index renders_by_state is another one"
      ),
      ("CREATE TABLE mine (a)", "note", "not of renderstate: table mine"),
    ]
  )
  func schemaDrift(sql: String, level: String, words: String) throws {
    try makeSound()
    try SidecarProcess.sqlite3(folder.database, sql)
    let found = try problems(level)
    #expect(found.contains { $0.hasPrefix("schema: ") && $0.contains(words) }, "\(found)")
  }

  @Test("a damaged page is found, and what cannot be examined is told")
  func damage() throws {
    try folder.fill(300)
    try folder.damage(folder.database)
    for arguments in [[], ["--quick"]] {
      let found = try problems("problem", arguments)
      #expect(found.contains { $0.hasPrefix("file: ") }, "\(found)")
    }
  }

  @Test("an index that does not hold what its table does is found")
  func wrongIndex() throws {
    try makeSound()
    let root = try SidecarProcess.sqlite3(
      folder.database,
      "SELECT rootpage FROM sqlite_schema WHERE name = 'renders_by_state'"
    )
    let page = try #require(UInt64(root.trimmingCharacters(in: .whitespacesAndNewlines)))
    // How many entries the page has (sqlite.org/fileformat2.html, 1.6): none.
    let file = try #require(FileHandle(forUpdatingAtPath: folder.database))
    try file.seek(toOffset: (page - 1) * 4_096 + 3)
    try file.write(contentsOf: Data([0, 0]))
    try file.close()
    let found = try problems()
    #expect(
      found.contains { $0.hasPrefix("file: ") && $0.contains("page \(page)") },
      "\(found)"
    )
  }

  @Test("files that others may write to, or that are another user's, are found")
  func permissions() throws {
    try makeSound()
    #expect(chmod(folder.database, 0o644) == 0)
    #expect(try problems() == [])
    #expect(try problems("note").contains("permissions: others may read the database"))
    #expect(chmod(folder.database, 0o622) == 0)
    #expect(try problems().contains { $0.contains("others may write to") })
    guard geteuid() == 0 else { return }
    #expect(chmod(folder.database, 0o600) == 0)
    #expect(chown(folder.database + ".lock", 12_345, 12_345) == 0)
    #expect(try problems().contains { $0.contains("of another user") })
  }

  @Test("renders past their deadline or long without an event are stuck, leases may be orphaned")
  func stuck() throws {
    let store = try RenderStore.open(path: folder.database, logger: .silent)
    let hoursAgo = SystemClock().now().advanced(by: -7_200_000)
    try store.write { transaction throws(StoreError) in
      for (id, timeouts) in [
        ("quiet", Timeouts.off), ("late", Timeouts(queued: 1_000, stall: nil, total: nil)),
      ] {
        let command = Command(id: id, action: .event(.start), timeouts: timeouts)
        _ = try transaction.apply(command, at: hoursAgo)
      }
      for (name, milliseconds) in [("orphan", Int64(1_000)), ("endless", 90_000_000_000)] {
        _ = try transaction.acquireLease(
          name,
          holder: "h",
          milliseconds: milliseconds,
          at: hoursAgo
        )
      }
    }
    store.close()
    let found = try problems()
    #expect(found.contains("renders: past their deadlines: late, 1 h ago"), "\(found)")
    #expect(found.contains("renders: without an event for an hour: quiet, 2 h ago"), "\(found)")
    #expect(found.contains { $0.hasPrefix("leases: held longer") && $0.contains("endless") })
    #expect(try problems("note").contains { $0.hasPrefix("leases: ran out") })
  }

  @Test("a database that is not there, or of another application: a line on stderr and code 1")
  func unusable() throws {
    try folder.expectRefusal("doctor", saying: "there is no database")
    #expect(try folder.files == [])
    try SidecarProcess.sqlite3(folder.database, "CREATE TABLE users (name TEXT)")
    try folder.expectRefusal("doctor", saying: "another application")
  }

  @Test("a pipe that nobody reads ends it quietly, with code 141", arguments: ["--json", "--utc"])
  func brokenPipe(form: String) throws {
    try makeSound()
    var launch = SidecarProcess.Launch(["doctor", form, "--database", folder.database])
    launch.output = .broken
    let process = try SidecarProcess(launch)
    #expect(try process.exit() == .code(141))
    #expect(try process.errorText() == "")
  }
}
