import Foundation
import Glibc
import JSON
import RenderStore
import Support
import Testing

@testable import renderstate

@Suite("renderstate restore")
struct RestoreTests {
  private let folder: UpkeepFolder

  init() throws {
    folder = try UpkeepFolder()
  }

  /// A backup with one render in it.
  private func makeBackup() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("old", "start")
    #expect(try sidecar.stop() == .code(0))
    #expect(try folder.run("backup", "backup.sqlite").exit == .code(0))
  }

  private var kept: [String] {
    get throws { try folder.files.filter { $0.contains(".before-restore-") } }
  }

  private func state(_ id: String) throws -> String? {
    try JSON(reading: folder.run("status", id, "--json").output)["state"]?.text
  }

  @Test("after a crash the backup comes back, and the old one is kept with its last changes")
  func afterCrash() throws {
    try makeBackup()
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("old", "progress")
    _ = try sidecar.transition("new", "start")
    sidecar.kill()
    _ = try sidecar.exit()
    // Files beside the database are no sign that somebody has it open.
    #expect(try folder.files.contains("store.sqlite-shm"))
    let outcome = try folder.run("restore", "backup.sqlite", "--json")
    #expect(outcome.exit == .code(0), "\(outcome.errors)")
    let json = try JSON(reading: outcome.output)
    #expect(json["renders"]?.whole == 1 && json["seq"]?.whole == 1)
    let old = try #require(json["kept"]?.text)
    #expect(try folder.head(old) == "3\n")
    #expect(try state("old") == "queued" && state("new") == "idle")
    // It goes on from there, and the old log is never taken for the new one's.
    let next = try SidecarProcess(serving: folder.database)
    #expect(try next.transition("next", "start").integer("result", "seq") == 2)
    #expect(try next.stop() == .code(0))
    #expect(try folder.run("doctor").exit == .code(0))
    let after = try SidecarProcess.run(["doctor", "--database", old])
    #expect(after.exit == .code(0), "\(after.output)")
  }

  @Test("it is refused while anybody has the database open, and done as soon as nobody has")
  func inUse() throws {
    try makeBackup()
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.call("ping")
    let words = "is in use by process \(sidecar.identifier) (renderstate)"
    try folder.expectRefusal("restore", "backup.sqlite", saying: words)
    #expect(try sidecar.transition("old", "progress").integer("result", "version") == 2)

    let watch = try SidecarProcess(
      SidecarProcess.Launch(["watch", "--json", "--database", folder.database])
    )
    _ = try watch.receive()
    #expect(try sidecar.stop() == .code(0))
    try folder.expectRefusal("restore", "backup.sqlite", saying: "is in use by process")
    watch.signal(SIGTERM)
    _ = try watch.exit()
    #expect(try folder.run("restore", "backup.sqlite").exit == .code(0))
    #expect(try state("old") == "queued")
  }

  @Test("while it has taken hold nobody can open the database, and afterwards everybody can")
  func holds() throws {
    try makeBackup()
    do {
      let replacement = try DatabaseReplacement(of: folder.database)
      let sidecar = try SidecarProcess(serving: folder.database, ["--busy-timeout", "100ms"])
      #expect(try sidecar.exit() == .code(1))
      #expect(try sidecar.errorText().contains("is locked by another process"))
      #expect(try folder.run("list").exit == .code(1))
      #expect(throws: UpkeepError.self) {
        try DatabaseReplacement(of: folder.database, waiting: .zero)
      }
      replacement.abandon()
    }
    #expect(try state("old") == "queued")
    let sidecar = try SidecarProcess(serving: folder.database)
    #expect(try sidecar.transition("old", "progress").integer("result", "version") == 2)
  }

  @Test("what is no sound backup is refused, and nothing changes")
  func refusals() throws {
    try makeBackup()
    func make(_ name: String, _ sql: String) throws -> String {
      try FileManager.default.copyItem(
        atPath: folder.path("backup.sqlite"),
        toPath: folder.path(name)
      )
      try SidecarProcess.sqlite3(folder.path(name), sql)
      return name
    }
    try Data().write(to: URL(filePath: folder.path("empty")))
    try Data("not a database ".utf8 + Data(repeating: 32, count: 5_000))
      .write(to: URL(filePath: folder.path("text")))
    let foreign = try make("foreign", "PRAGMA application_id = 7")
    let newer = try make("newer", "PRAGMA user_version = 99")
    let damaged = try make("damaged", "PRAGMA user_version = 1")
    try folder.damage(folder.path(damaged))
    for (source, words) in [
      ("missing", "there is no database"), ("empty", "is empty"), (".", "is a folder"),
      ("text", "not an SQLite database"), (foreign, "another application"), (newer, "newer"),
      (damaged, "damaged"), (folder.database, "is the database itself"),
    ] {
      try folder.expectRefusal("restore", source, saying: words)
    }
    #expect(try kept == [])
    #expect(try folder.run("restore", "").exit == .code(64))
  }

  @Test("where no database is, there is one afterwards; a refusal leaves not even a lock file")
  func nothingBefore() throws {
    try makeBackup()
    let files = try folder.files
    let path = folder.path("new.sqlite")
    let refused = try SidecarProcess.run(["restore", folder.path("no"), "--database", path])
    #expect(refused.exit == .code(1))
    #expect(try folder.files == files)
    let outcome = try SidecarProcess.run(
      ["restore", folder.path("backup.sqlite"), "--json", "--database", path]
    )
    #expect(outcome.exit == .code(0))
    if case .null? = try JSON(reading: outcome.output)["kept"] {} else { Issue.record("kept") }
    #expect(try folder.head(path) == "1\n")
    #expect(try folder.mode(path) == 0o600)
    let folderMissing = try SidecarProcess.run(
      ["restore", folder.path("backup.sqlite"), "--database", folder.path("no/new.sqlite")]
    )
    #expect(folderMissing.exit == .code(1))
    #expect(folderMissing.errors.contains("does not exist"))
  }

  @Test("a damaged database is replaced, and kept as it is; mode and owner stay")
  func damagedBefore() throws {
    try makeBackup()
    try folder.damage(folder.database)
    let damaged = try Data(contentsOf: URL(filePath: folder.database))
    #expect(chmod(folder.database, 0o640) == 0)
    if geteuid() == 0 { #expect(chown(folder.database, 12_345, 12_346) == 0) }
    #expect(try folder.run("restore", "backup.sqlite").exit == .code(0))
    #expect(try state("old") == "queued")
    let kept = try kept
    #expect(try Data(contentsOf: URL(filePath: folder.path(#require(kept.first)))) == damaged)
    #expect(try folder.mode(folder.database) == 0o640)
    guard geteuid() == 0 else { return }
    var status = stat()
    #expect(stat(folder.database, &status) == 0)
    #expect((status.st_uid, status.st_gid) == (12_345, 12_346))
  }

  @Test("killed between its steps, no sidecar starts on half of it, and doing it again is enough")
  func killedBetween() throws {
    try makeBackup()
    // What such a one leaves: the old one has two names.
    #expect(link(folder.database, folder.path("store.sqlite.before-restore-1")) == 0)
    let sidecar = try SidecarProcess(serving: folder.database)
    #expect(try sidecar.exit() == .code(1))
    #expect(try sidecar.errorText().contains("more than one name"))
    #expect(try folder.run("restore", "backup.sqlite").exit == .code(0))
    #expect(try state("old") == "queued")
  }

  @Test("a backup of an older version comes back, and the next sidecar brings it up to date")
  func olderVersion() throws {
    let schema = try Repository.text("Tests/RenderStoreTests/Schema1.sql")
    let head = "PRAGMA application_id = 0x72737461; PRAGMA user_version = 1;"
    try SidecarProcess.sqlite3(folder.path("old"), schema + head)
    #expect(try folder.run("restore", "old").exit == .code(0))
    let sidecar = try SidecarProcess(serving: folder.database)
    #expect(try sidecar.transition("a", "start").integer("result", "version") == 1)
    #expect(try sidecar.stop() == .code(0))
    #expect(try folder.run("doctor").exit == .code(0))
  }
}
