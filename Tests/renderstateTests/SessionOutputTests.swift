import Foundation
import RenderStore
import Support
import Testing

@testable import renderstate

/// What the commands that keep and change a database print, as sessions in committed texts (re-made with
/// RENDERSTATE_REGENERATE=1).
@Suite("Sessions")
struct SessionOutputTests {
  private let folder: UpkeepFolder

  init() throws {
    folder = try UpkeepFolder()
    _ = try OperatedStore(at: folder.database)
  }

  /// Runs commands on the database one after the other, and expects all that they print.
  private func expect(
    _ commands: [[String]],
    in name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var text = ""
    for command in commands {
      let database = command.contains("--database") ? [] : ["--database", "store.sqlite"]
      let outcome = try SidecarProcess.run(command + database, folder: folder.folder.url.path)
      text += "$ \(command.joined(separator: " "))\n\(outcome.output)\(outcome.errors)"
      if outcome.exit != .code(0) { text += "(\(outcome.exit))\n" }
    }
    try Golden.expect(common(text), in: "Output/\(name)", sourceLocation: sourceLocation)
  }

  /// A text without what is of this machine, this moment, or this version of the schema.
  private func common(_ text: String) -> String {
    text.replacing(RenderStore.sqliteVersion, with: "3.x.y")
      .replacing(folder.folder.url.resolvingSymlinksInPath().path, with: "/srv")
      .replacing(/schema [0-9]+/, with: "schema 1")
      .replacing(/"schema":[0-9]+/, with: #""schema":1"#)
      .replacing(/[0-9.]+ [KM]iB/, with: "4.00 KiB")
      .replacing(/"bytes":[0-9]+/, with: #""bytes":4096"#)
      .replacing(/before-restore-[0-9T.]+Z/, with: "before-restore-20261122T120000.000Z")
      .replacing(/"[0-9T:.-]+Z"/, with: #""2026-11-22T12:00:00.000Z""#)
      .replacing(/[0-9]+ (s|min|h|d) ago/, with: "2 h ago")
      .replacing(/"cli:[^"]*"/, with: #""cli:ada""#)
      // Whether SQLite has the bug is this machine's affair.
      .replacing(/\{[^\n]*WAL-reset bug[^\n]*\}\n/, with: "")
  }

  @Test("backup and restore: what was copied, checked and kept")
  func backups() throws {
    try expect(
      [
        ["backup", "copy.sqlite"], ["backup", "other.sqlite", "--json"], ["backup", "copy.sqlite"],
        ["restore", "copy.sqlite"], ["restore", "other.sqlite", "--json"],
        ["restore", "none.sqlite"],
      ],
      in: "backup.txt"
    )
  }

  @Test("doctor, watch and send as JSON: findings, statuses, changes and refusals")
  func json() throws {
    try expect(
      [
        ["doctor", "--json"], ["watch", "trailer", "credits", "--until-terminal", "--json"],
        ["send", "credits", "start", "--json"], ["send", "intro", "start", "--json"],
      ],
      in: "json.txt"
    )
  }

  @Test("export: every row of every table")
  func export() throws {
    try expect([["export"]], in: "export.txt")
  }
}
