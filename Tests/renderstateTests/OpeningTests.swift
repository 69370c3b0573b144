import Foundation
import Support
import Testing

@Suite("The database at the start")
struct OpeningTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func makeStore() throws {
    #expect(try SidecarProcess.run(["serve", "--database", folder.database]).exit == .code(0))
  }

  /// Expects exit code 1, nothing on stdout, and one line on stderr.
  ///
  /// - Returns: the line.
  private func refusal(
    of path: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let sidecar = try SidecarProcess(serving: path)
    try? sidecar.send(id: 1, "ping")
    let exit = try sidecar.stop()
    #expect(exit == .code(1), sourceLocation: sourceLocation)
    #expect(try sidecar.outputText() == "", sourceLocation: sourceLocation)
    let lines = try sidecar.errorText().split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 2 && lines.last == "", "\(lines)", sourceLocation: sourceLocation)
    let line = String(lines.first ?? "")
    #expect(line.hasPrefix("renderstate: "), sourceLocation: sourceLocation)
    return line
  }

  @Test("a folder is refused")
  func aFolder() throws {
    #expect(try refusal(of: folder.url.path).contains("is a folder"))
    #expect(try refusal(of: folder.path("new/")).contains("folder"))
  }

  @Test("a file in a folder that is not there is refused, and nothing is made")
  func missingFolder() throws {
    #expect(try refusal(of: folder.path("missing/store.sqlite")).contains("does not exist"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  @Test("a file that is no database is refused and left as it is")
  func textFile() throws {
    let text = String(repeating: "Dear diary, today I rendered a video.\n", count: 100)
    try text.write(toFile: folder.database, atomically: false, encoding: .utf8)
    #expect(try refusal(of: folder.database).contains("not an SQLite database"))
    #expect(try String(contentsOfFile: folder.database, encoding: .utf8) == text)
  }

  @Test("another application's database is refused and left as it is")
  func otherApplication() throws {
    try SidecarProcess.sqlite3(folder.database, "CREATE TABLE orders (id INTEGER)")
    let before = FileManager.default.contents(atPath: folder.database)
    #expect(try refusal(of: folder.database).contains("another application"))
    #expect(FileManager.default.contents(atPath: folder.database) == before)
  }

  @Test("a database of a newer renderstate is refused and left as it is")
  func newerVersion() throws {
    try makeStore()
    try SidecarProcess.sqlite3(folder.database, "PRAGMA user_version = 99")
    #expect(try refusal(of: folder.database).contains("newer renderstate"))
    #expect(try SidecarProcess.sqlite3(folder.database, "PRAGMA user_version") == "99\n")
  }

  @Test("a read-only database is refused, for root too")
  func readOnly() throws {
    try makeStore()
    chmod(folder.database, 0o444)
    #expect(try refusal(of: folder.database).contains("read-only"))
  }

  @Test("a damaged database is refused")
  func damaged() throws {
    try makeStore()
    let file = try #require(FileHandle(forUpdatingAtPath: folder.database))
    try file.seek(toOffset: 100)
    try file.write(contentsOf: Data(repeating: 0xFF, count: 8_000))
    try file.close()
    #expect(try refusal(of: folder.database).contains("damaged"))
  }

  @Test("a pipe, and a file of two names, are refused")
  func oddFiles() throws {
    mkfifo(folder.path("pipe"), 0o600)
    #expect(try refusal(of: folder.path("pipe")).contains("not a regular file"))
    try makeStore()
    try FileManager.default.linkItem(atPath: folder.database, toPath: folder.path("second"))
    #expect(try refusal(of: folder.path("second")).contains("more than one name"))
  }

  @Test(
    "a PostgreSQL URL gets a line that says what to give instead, and not the password",
    arguments: ["postgres://user:secret@host/renders", "PostgreSQL://user:secret@host/renders"]
  )
  func postgreSQL(url: String) throws {
    let line = try refusal(of: url)
    #expect(line.contains("no PostgreSQL store"))
    #expect(line.contains("--database"))
    #expect(!line.contains("secret"))
  }

  @Test("an empty file becomes a database")
  func emptyFile() throws {
    try Data().write(to: URL(fileURLWithPath: folder.database))
    let sidecar = try SidecarProcess(serving: folder.database)
    #expect(try sidecar.transition("a", "start").errorCode == nil)
  }

  @Test("a new database and its companions are for their owner alone, whatever the umask")
  func fileMode() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.wrapper = ["sh", "-c", #"umask 0; exec "$@""#, "host"]
    let sidecar = try SidecarProcess(launch)
    _ = try sidecar.transition("a", "start")
    for suffix in ["", "-wal", "-shm", ".lock"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: folder.database + suffix)
      #expect(attributes[.posixPermissions] as? Int == 0o600, "\(suffix)")
    }
  }

  @Test("--database wins over RENDERSTATE_DATABASE, which wins over renderstate.sqlite")
  func whichDatabase() throws {
    var launch = SidecarProcess.Launch(["serve"])
    launch.folder = folder.url.path
    func made() throws -> Set<String> {
      let sidecar = try SidecarProcess(launch)
      _ = try sidecar.call("ping")
      #expect(try sidecar.stop() == .code(0))
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      return Set(names.filter { $0.hasSuffix("sqlite") })
    }
    #expect(try made() == ["renderstate.sqlite"])
    launch.environment = ["RENDERSTATE_DATABASE": "environment.sqlite"]
    #expect(try made() == ["renderstate.sqlite", "environment.sqlite"])
    launch.arguments += ["--database", "./flag.sqlite"]
    #expect(try made() == ["renderstate.sqlite", "environment.sqlite", "flag.sqlite"])
  }

  @Test("a relative path, an absolute one and a symbolic link lead to one store")
  func pathsOfOneStore() throws {
    var launch = SidecarProcess.Launch(serving: "store.sqlite")
    launch.folder = folder.url.path
    let relative = try SidecarProcess(launch)
    _ = try relative.transition("a", "start")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("link"),
      withDestinationPath: folder.database
    )
    for path in [folder.database, folder.path("link")] {
      let other = try SidecarProcess(serving: path)
      let status = try other.call("getStatus", #"{"id":"a"}"#)
      #expect(status.integer("result", "version") == 1)
    }
    #expect(try relative.transition("a", "progress").integer("result", "version") == 2)
  }

  @Test("a path may hold spaces, quotes and letters of any language")
  func oddNames() throws {
    let path = folder.path("vidéo 'één' \"zwei\" %20 ?mode=ro #3.sqlite")
    let sidecar = try SidecarProcess(serving: path)
    #expect(try sidecar.transition("a", "start").errorCode == nil)
    #expect(FileManager.default.fileExists(atPath: path))
  }
}
