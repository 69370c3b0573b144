import Foundation
import Glibc
import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("Opening")
struct OpeningTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  // MARK: - What is opened

  @Test("a new store has our mark and version, and only its user may read its files")
  func newStore() throws {
    let store = try RenderStore.open(folder.database)
    let shell = try Shell(folder.database)
    #expect(try shell.rows("PRAGMA application_id") == ["\(0x7273_7461)"])
    #expect(try shell.rows("PRAGMA user_version") == ["\(Schema.version)"])
    #expect(try shell.rows("PRAGMA journal_mode") == ["\"wal\""])
    for suffix in ["", "-wal", "-shm", ".lock"] {
      var status = stat()
      #expect(stat(folder.database + suffix, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600, "mode of \(suffix)")
    }
    #expect(try store.head() == 0)
  }

  @Test("reopening keeps renders, log, leases and keys")
  func reopening() throws {
    let bench = try Bench()
    try bench.send(.event(.start), Context(renderID: "r"), key: "k")
    try bench.take(.progress, .complete)
    _ = try bench.store.write { transaction throws(StoreError) in
      try transaction.acquireLease("poller", holder: "a", milliseconds: 1_000, at: Bench.noon)
    }
    let render = String(describing: try bench.store.render("video"))
    let log = String(describing: try bench.store.log())
    try bench.reopen()
    #expect(String(describing: try bench.store.render("video")) == render)
    #expect(String(describing: try bench.store.log()) == log)
    #expect(try bench.store.lease("poller")?.token == 1)
    #expect(try bench.send(.event(.start), key: "k").keyUse?.seq == 1)
    #expect(try bench.send(.regenerate).change?.seq == 4)
  }

  @Test("a process killed while it made the file leaves one that opens")
  func killedWhileCreating() throws {
    for (name, sql) in [("empty", nil), ("header", "PRAGMA journal_mode = WAL")] {
      let path = folder.path(name)
      if let sql {
        let shell = try Shell(path)
        try shell.run(sql)
        try shell.close()
        #expect(try Data(contentsOf: URL(filePath: path)).count > 0)
      } else {
        try Data().write(to: URL(filePath: path))
      }
      let store = try RenderStore.open(path)
      try store.apply(Command(id: "video", action: .event(.start)), at: Bench.noon)
      store.close()
      #expect(try RenderStore.open(path).head() == 1)
    }
  }

  @Test("a symbolic link opens the file it leads to, behind the same gate")
  func symbolicLink() throws {
    let link = folder.path("link.sqlite")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.database)
    // The first opening makes the file that the link leads to.
    let linked = try RenderStore.open(link)
    let direct = try RenderStore.open(folder.database)
    #expect(linked.path == direct.path)
    #expect(!FileManager.default.fileExists(atPath: link + ".lock"))
    try linked.write { transaction throws(StoreError) in
      _ = try transaction.apply(Command(id: "video", action: .event(.start)), at: Bench.noon)
      #expect(direct.gate?.enterIfFree() == false)
    }
    #expect(try direct.render("video").version == 1)
  }

  @Test("a link by a relative path leads from the link's folder")
  func relativeLink() throws {
    let link = folder.path("link.sqlite")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "store.sqlite")
    let store = try RenderStore.open(link)
    #expect(FileManager.default.fileExists(atPath: folder.database))
    #expect(try RenderStore.open(folder.database).path == store.path)
  }

  @Test("a store may be patient for a year")
  func patience() throws {
    let year = RenderStore.Options(busyTimeout: .milliseconds(31_622_400_000))
    let store = try RenderStore.open(folder.database, year)
    let gate = try Gate(path: folder.database + ".lock")
    #expect(gate.enterIfFree())
    let leaving = Companion { gate.leave() }
    #expect(
      try store.apply(Command(id: "video", action: .event(.start)), at: Bench.noon).change != nil
    )
    #expect(leaving.outcome() != nil)
  }

  @Test("closing twice is closing once, and the last one to close leaves one file and its lock")
  func closing() throws {
    let store = try RenderStore.open(folder.database)
    store.close()
    store.close()
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.url.path())
    #expect(files.sorted() == ["store.sqlite", "store.sqlite.lock"])
  }

  @Test("a store that is let go without closing closes itself")
  func lettingGo() throws {
    var store: RenderStore? = try RenderStore.open(folder.database)
    #expect(try store?.head() == 0)
    store = nil
    #expect(!FileManager.default.fileExists(atPath: folder.database + "-wal"))
  }

  // MARK: - What is refused

  /// Expects that the file is refused in one line that says so, and stays as it is.
  private func expectRefusal(
    of path: String,
    saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let file = URL(filePath: path)
    let before = try? Data(contentsOf: file)
    let line: String
    do throws(StoreOpenError) {
      try RenderStore.open(path, .impatient).close()
      line = "it was opened"
    } catch {
      line = error.description
    }
    #expect(line.contains(words), sourceLocation: sourceLocation)
    #expect(!line.contains("\n"), sourceLocation: sourceLocation)
    #expect((try? Data(contentsOf: file)) == before, sourceLocation: sourceLocation)
  }

  /// A closed store with something in it.
  private func makeStore() throws {
    let store = try RenderStore.open(folder.database)
    for number in 0..<200 {
      try store.apply(
        Command(
          id: "video \(number)",
          action: .event(.start),
          context: Context(bucketName: String(repeating: "b", count: 180))
        ),
        at: Bench.noon
      )
    }
    store.close()
  }

  private func overwrite(_ range: Range<Int>) throws {
    let file = URL(filePath: folder.database)
    var data = try Data(contentsOf: file)
    data.replaceSubrange(range, with: Data(repeating: 0xA5, count: range.count))
    try data.write(to: file)
  }

  @Test("a store of version 1 becomes this version's, with all that is in it")
  func version1() throws {
    let shell = try Shell(folder.database)
    try shell.run(
      """
      PRAGMA journal_mode = WAL;
      \(Repository.text("Tests/RenderStoreTests/Schema1.sql"))
      PRAGMA application_id = \(Schema.applicationID);
      PRAGMA user_version = 1;
      """
    )
    for id in ["video", "other"] {
      try shell.run(
        """
        INSERT INTO renders (id, state, progress, metadata, run, attempt, version, seq, created_at,
          updated_at, started_at, event, action, actor, idempotency_key)
        SELECT '\(id)', 'queued', 0, '{"a":1}', 1, 1, 1, ifnull(max(seq), 0) + 1, 1000, 1000, 1000,
          'start', 'start', 'host', 'key' FROM transitions
        """
      )
    }
    try shell.run(
      """
      UPDATE renders SET state='rendering', event='progress', version=2, progress=40, render_id='r'
        WHERE id='video';
      INSERT INTO leases VALUES ('n', 'h', 1, 9);
      """
    )
    let rows = try shell.rows("SELECT seq, id, state, actor, at FROM transitions")
    try shell.close()

    let store = try RenderStore.open(folder.database)
    let render = try store.render("video")
    #expect((render.state, render.progress, render.version) == (.rendering, 40, 2))
    #expect(render.metadata.text == #"{"a":1}"#)
    #expect(try store.history(of: "video", after: 0, limit: 9).map(\.seq) == [1, 3])
    let again = Command(id: "other", action: .event(.start), idempotencyKey: "key")
    #expect(try store.apply(again, at: Bench.noon).keyUse?.seq == 2)
    let stale = Command(id: "other", action: .event(.start), context: Context(renderID: "r"))
    #expect(try store.apply(stale, at: Bench.noon).change == nil)
    #expect(try store.lease("n")?.token == 1)
    store.close()

    let after = try Shell(folder.database)
    #expect(try after.rows("SELECT seq, id, state, actor, at FROM transitions") == rows)
    let fresh = try Bench()
    let schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    #expect(try after.rows(schema) == Shell(fresh.path).rows(schema))
    #expect(try after.rows("PRAGMA user_version") == ["\(Schema.version)"])
    #expect(try after.rows("PRAGMA integrity_check") == ["\"ok\""])
  }

  @Test("a store of version 2 becomes this version's, with all that is in it, and can be pruned")
  func version2() throws {
    let shell = try Shell(folder.database)
    try shell.run(
      """
      PRAGMA journal_mode = WAL;
      \(Repository.text("Tests/RenderStoreTests/Schema2.sql"))
      PRAGMA application_id = \(Schema.applicationID);
      PRAGMA user_version = 2;
      """
    )
    for id in ["old", "video"] {
      try shell.run(
        """
        INSERT INTO renders (id, state, progress, metadata, run, attempt, version, seq, created_at,
          updated_at, started_at, event)
        SELECT '\(id)', 'queued', 0, '{}', 1, 1, 1, ifnull(max(seq), 0) + 1, 1000, 1000, 1000, 'start'
        FROM transitions;
        UPDATE renders SET state='failed', event='fail', error='x', version=2 WHERE id='\(id)';
        """
      )
    }
    let rows = try shell.rows("SELECT * FROM transitions")
    try shell.close()

    let store = try RenderStore.open(folder.database)
    #expect(try store.history(of: "video", after: 0, limit: 9).map(\.seq) == [3, 4])
    let start = Command(id: "video", action: .event(.start))
    #expect(try store.apply(start, at: Bench.noon).change?.version == 3)
    let all = Timestamp(milliseconds: .max)
    var pruning = try Pruning(store, PruningLimits(finished: all, progress: all))
    while try !pruning.step().isLast {}
    #expect(pruning.count.renders == 1)
    store.close()

    let after = try Shell(folder.database)
    let columns = try after.rows("SELECT * FROM transitions").map {
      $0.components(separatedBy: "|")
    }
    #expect(columns.count == 3)
    #expect(rows[2...].map { $0 + "|NULL" } == columns[..<2].map { $0.joined(separator: "|") })
    let fresh = try Bench()
    let schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    #expect(try after.rows(schema) == Shell(fresh.path).rows(schema))
    #expect(try after.rows("PRAGMA user_version") == ["\(Schema.version)"])
    #expect(try after.rows("PRAGMA integrity_check") == ["\"ok\""])
  }

  @Test("a store of a newer version is refused")
  func newerVersion() throws {
    try makeStore()
    let shell = try Shell(folder.database)
    try shell.run("PRAGMA user_version = \(Schema.version + 1)")
    try shell.close()
    try expectRefusal(of: folder.database, saying: "written by a newer renderstate")
  }

  @Test("a version that never was is damage")
  func negativeVersion() throws {
    try makeStore()
    let shell = try Shell(folder.database)
    try shell.run("PRAGMA user_version = -1")
    try shell.close()
    try expectRefusal(of: folder.database, saying: "damaged")
  }

  @Test(
    "another application's database is refused",
    arguments: [
      "CREATE TABLE users (name TEXT)",
      "PRAGMA application_id = 7",
      "PRAGMA user_version = 3",
      "CREATE TABLE renders (id TEXT); PRAGMA journal_mode = WAL",
    ]
  )
  func otherApplication(sql: String) throws {
    let shell = try Shell(folder.database)
    try shell.run(sql)
    try shell.close()
    try expectRefusal(of: folder.database, saying: "a database of another application")
  }

  @Test(
    "a file that is no database is refused",
    arguments: ["x", "not a database\n", String(repeating: "line of text\n", count: 1_000)]
  )
  func text(content: String) throws {
    try Data(content.utf8).write(to: URL(filePath: folder.database))
    try expectRefusal(of: folder.database, saying: "is not an SQLite database")
  }

  @Test("a store whose schema is overwritten is refused")
  func corruptSchema() throws {
    try makeStore()
    try overwrite(100..<4_096)
    try expectRefusal(of: folder.database, saying: "damaged")
  }

  @Test("a store whose first bytes are overwritten is refused")
  func corruptHeader() throws {
    try makeStore()
    try overwrite(0..<100)
    try expectRefusal(of: folder.database, saying: "is not an SQLite database")
  }

  @Test("a store whose data is overwritten is unavailable where that is met, for good")
  func corruptData() throws {
    try makeStore()
    let size = try Data(contentsOf: URL(filePath: folder.database)).count
    // The first pages hold the schema.
    try overwrite(size / 2 / 4_096 * 4_096..<size)
    let store = try RenderStore.open(folder.database)
    let error = #expect(throws: StoreError.self) {
      for number in 0..<200 { _ = try store.render("video \(number)") }
      _ = try store.log()
    }
    #expect(error?.isRetryable == false)
  }

  @Test("an empty file is a new store, but not beside a write-ahead log: that would be thrown away")
  func emptied() throws {
    let log = URL(filePath: folder.database + "-wal")
    try Data().write(to: URL(filePath: folder.database))
    try Data([1]).write(to: log)
    try expectRefusal(of: folder.database, saying: "it was a database")
    #expect(try Data(contentsOf: log) == Data([1]))
    try FileManager.default.removeItem(at: log)
    #expect(try RenderStore.open(folder.database).head() == 0)
  }

  @Test("a truncated store is refused")
  func truncated() throws {
    try makeStore()
    let file = URL(filePath: folder.database)
    let data = try Data(contentsOf: file)
    try data.prefix(data.count / 2).write(to: file)
    try expectRefusal(of: folder.database, saying: "damaged")
    try data.prefix(1_000).write(to: file)
    try expectRefusal(of: folder.database, saying: "damaged")
  }

  @Test("a folder, a device, and a name that ends like a folder's are refused")
  func notAFile() throws {
    try expectRefusal(of: folder.url.path(), saying: "is a folder")
    try expectRefusal(of: "/dev/null", saying: "is not a regular file")
    try expectRefusal(of: folder.path("new") + "/", saying: "does not exist")
    try expectRefusal(of: "", saying: "the database has no name")
    try expectRefusal(of: "a\0b", saying: "the database has no name")
  }

  @Test("a missing folder is named; a file in its place, too")
  func missingFolder() throws {
    try expectRefusal(
      of: folder.path("missing/store.sqlite"),
      saying: "the folder \(folder.path("missing")) does not exist"
    )
    try Data().write(to: URL(filePath: folder.path("file")))
    try expectRefusal(of: folder.path("file/store.sqlite"), saying: "Not a directory")
  }

  @Test("a read-only file is refused, whoever asks", arguments: [0o444, 0o400])
  func readOnly(mode: mode_t) throws {
    try makeStore()
    #expect(chmod(folder.database, mode) == 0)
    try expectRefusal(of: folder.database, saying: "is read-only")
  }

  @Test("a file with two names is refused by both")
  func hardLink() throws {
    try makeStore()
    let other = folder.path("other.sqlite")
    try FileManager.default.linkItem(atPath: folder.database, toPath: other)
    try expectRefusal(of: folder.database, saying: "has more than one name")
    try expectRefusal(of: other, saying: "has more than one name")
  }

  @Test("a lock file that is a link is refused: it would be another store's")
  func lockIsLink() throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.database + ".lock",
      withDestinationPath: folder.path("elsewhere")
    )
    try expectRefusal(of: folder.database, saying: "cannot open the lock file")
    #expect(!FileManager.default.fileExists(atPath: folder.path("elsewhere")))
  }

  @Test("a store behind a gate that is not left in time is refused, and opens after that")
  func gateHeld() throws {
    try makeStore()
    let gate = try Gate(path: folder.database + ".lock")
    #expect(gate.enterIfFree())
    try expectRefusal(of: folder.database, saying: "is locked by another process")
    gate.leave()
    #expect(try RenderStore.open(folder.database).head() == 200)
  }

  @Test("a file that another program keeps locked is refused, and opens after that")
  func fileLocked() throws {
    let shell = try Shell(folder.database)
    try shell.run("PRAGMA page_size = 4096; BEGIN EXCLUSIVE")
    #expect(throws: StoreOpenError.self) { try RenderStore.open(folder.database, .impatient) }
    try shell.run("ROLLBACK")
    try shell.close()
    #expect(try RenderStore.open(folder.database).head() == 0)
  }

  // MARK: - Network filesystems

  @Test("a list of mounts is read to its end, however long")
  func longProcFile() throws {
    let text = try #require(ProcFile.text("/proc/self/smaps"))
    #expect(text.utf8.count > 16_384)
    #expect(text.hasSuffix("\n"))
    #expect(ProcFile.text("/proc/self/mounts")?.isEmpty == false)
    #expect(ProcFile.text("/proc/self/none") == nil)
  }

  @Test("a path on a network filesystem is told by the mount nearest above it")
  func networkFilesystem() {
    let mounts = """
      /dev/sda1 / ext4 rw 0 0
      server:/export /srv nfs4 rw,vers=4.2 0 0
      /dev/sdb1 /srv/local xfs rw 0 0
      //server/share /mnt/my\\040share cifs rw 0 0
      host:/ /mnt/ssh fuse.sshfs rw 0 0
      server:/b /b nfs rw 0 0
      tmpfs /b tmpfs rw 0 0
      broken
      """
    func name(_ path: String) -> String? { NetworkFilesystem.name(of: path, mounts: mounts) }
    #expect(name("/home/store.sqlite") == nil)
    #expect(name("/srv/store.sqlite") == "nfs4")
    #expect(name("/srvs/store.sqlite") == nil)
    #expect(name("/srv/local/store.sqlite") == nil)
    #expect(name("/srv/locals/store.sqlite") == "nfs4")
    #expect(name("/mnt/my share/deep/store.sqlite") == "cifs")
    #expect(name("/mnt/ssh/store.sqlite") == "fuse.sshfs")
    #expect(name("/b/store.sqlite") == nil, "what is mounted last on a folder covers the others")
    #expect(NetworkFilesystem.name(of: "/store.sqlite", mounts: "") == nil)
    #expect(NetworkFilesystem.name(of: "/x", mounts: "host:/ / nfs rw 0 0") == "nfs")
  }
}
