import Foundation
import Glibc
import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("Opening what is there")
struct ExistingStoreTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let purposes: [RenderStore.Purpose] = [.reading, .changing]
  private static let start = Command(id: "video", action: .event(.start))

  /// A closed store with one change in it.
  private func makeStore() throws {
    let store = try RenderStore.open(folder.database)
    try store.apply(Self.start, at: Bench.noon)
    store.close()
  }

  private var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path()).sorted() }
  }

  private func size(_ suffix: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: folder.database + suffix)
    return try #require(attributes[.size] as? Int)
  }

  // MARK: - What is refused

  /// Expects that the file is refused in one line that says so, and stays as it is.
  private func expectRefusal(
    of path: String,
    _ purpose: RenderStore.Purpose,
    saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try? Data(contentsOf: URL(filePath: path))
    let error = #expect(throws: StoreOpenError.self, sourceLocation: sourceLocation) {
      try RenderStore.open(existing: path, purpose, .impatient).close()
    }
    let line = error?.description ?? ""
    #expect(line.contains(words) && !line.contains("\n"), "\(line)", sourceLocation: sourceLocation)
    #expect((try? Data(contentsOf: URL(filePath: path))) == before, sourceLocation: sourceLocation)
  }

  @Test("a file, a folder or the end of a link that is not there is refused, and nothing is made")
  func missing() throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("link"),
      withDestinationPath: folder.path("nowhere")
    )
    try Data().write(to: URL(filePath: folder.path("file")))
    for purpose in Self.purposes {
      for name in ["store.sqlite", "folder/store.sqlite", "link", "file/store.sqlite"] {
        try expectRefusal(of: folder.path(name), purpose, saying: "there is no database")
      }
      try expectRefusal(of: "", purpose, saying: "has no name")
      try expectRefusal(of: folder.url.path(), purpose, saying: "is a folder")
    }
    #expect(try files == ["file", "link"])
  }

  @Test("an empty file stays empty")
  func empty() throws {
    for purpose in Self.purposes {
      try Data().write(to: URL(filePath: folder.database))
      try expectRefusal(
        of: folder.database,
        purpose,
        saying: "no sidecar has made a database of it"
      )
    }
  }

  @Test("another application's database, and one of another version, are refused and stay")
  func foreign() throws {
    let shell = try Shell(folder.database)
    try shell.run("CREATE TABLE users (name TEXT)")
    for purpose in Self.purposes {
      try expectRefusal(of: folder.database, purpose, saying: "another application")
    }
    try shell.run("PRAGMA application_id = \(Schema.applicationID)")
    for (version, words) in [(1, "older"), (Schema.version + 1, "newer"), (-1, "damaged")] {
      try shell.run("PRAGMA user_version = \(version)")
      for purpose in Self.purposes {
        try expectRefusal(of: folder.database, purpose, saying: words)
      }
      #expect(try shell.rows("PRAGMA user_version") == ["\(version)"])
    }
  }

  @Test("who wants to change a file that is read-only or whose gate is not left is refused")
  func changingInVain() throws {
    try makeStore()
    let gate = try Gate(path: folder.database + ".lock")
    #expect(gate.enterIfFree())
    try expectRefusal(of: folder.database, .changing, saying: "is locked by another process")
    #expect(chmod(folder.database, 0o444) == 0)
    try expectRefusal(of: folder.database, .changing, saying: "is read-only")
  }

  // MARK: - Reading

  @Test("who reads needs no right to write, and nobody to leave the gate")
  func readingOnly() throws {
    try makeStore()
    #expect(chmod(folder.database, 0o444) == 0)
    let gate = try Gate(path: folder.database + ".lock")
    #expect(gate.enterIfFree())
    let store = try RenderStore.open(existing: folder.database, .reading, .impatient)
    #expect(try store.render("video").version == 1)
    #expect(throws: StoreError.self) { try store.apply(Self.start, at: Bench.noon) }
    store.close()
  }

  @Test("a reader sees each commit of others, in the middle of which it may come")
  func readingBeside() throws {
    let sidecar = try RenderStore.open(folder.database)
    let reader = try RenderStore.open(existing: folder.database, .reading)
    #expect(try reader.render("video").version == 0)
    try sidecar.write { transaction throws(StoreError) in
      _ = try transaction.apply(Self.start, at: Bench.noon)
      #expect(try reader.render("video").version == 0)
      let late = try? RenderStore.open(existing: folder.database, .reading)
      #expect(try late?.render("video").version == 0)
    }
    #expect(try reader.render("video").version == 1)
  }

  @Test("a reader that closes last leaves the write-ahead log where it is")
  func lastToClose() throws {
    let sidecar = try RenderStore.open(folder.database)
    try sidecar.apply(Self.start, at: Bench.noon)
    let reader = try RenderStore.open(existing: folder.database, .reading)
    // The reader is still there, so that this moves nothing into the file either.
    sidecar.close()
    let before = try (size(""), size("-wal"))
    reader.checkpointIfDue()
    reader.close()
    #expect(try (size(""), size("-wal")) == before && before.1 > 0)
    let again = try RenderStore.open(existing: folder.database, .reading)
    #expect(try again.render("video").version == 1)
    again.close()
    try RenderStore.open(folder.database).close()
    #expect(try files == ["store.sqlite", "store.sqlite.lock"])
    #expect(try RenderStore.open(existing: folder.database, .reading).head() == 1)
  }

  // MARK: - Changing

  @Test("who changes what is there does it behind the gate, and leaves one file and its lock")
  func changing() throws {
    try makeStore()
    let store = try RenderStore.open(existing: folder.database, .changing)
    let change = Command(id: "video", action: .event(.progress))
    #expect(try store.apply(change, at: Bench.noon).change?.version == 2)
    let gate = try Gate(path: folder.database + ".lock")
    try store.write { transaction throws(StoreError) in
      _ = try transaction.apply(change, at: Bench.noon)
      #expect(!gate.enterIfFree())
    }
    store.close()
    #expect(try files == ["store.sqlite", "store.sqlite.lock"])
  }

  @Test(
    "a lock file that root makes belongs to the user whose database it is",
    .enabled(if: geteuid() == 0)
  )
  func lockOfAnotherUser() throws {
    try makeStore()
    #expect(unlink(folder.database + ".lock") == 0)
    #expect(chown(folder.database, 12_345, 12_346) == 0)
    let store = try RenderStore.open(existing: folder.database, .changing)
    try store.apply(Command(id: "video", action: .event(.progress)), at: Bench.noon)
    for suffix in ["", "-wal", "-shm", ".lock"] {
      var status = stat()
      #expect(stat(folder.database + suffix, &status) == 0)
      #expect((status.st_uid, status.st_gid) == (12_345, 12_346), "\(suffix)")
    }
    store.close()
  }
}
