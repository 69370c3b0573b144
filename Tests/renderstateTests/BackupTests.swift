import Foundation
import Glibc
import JSON
import RenderStore
import Support
import Testing

@testable import renderstate

@Suite("renderstate backup")
struct BackupTests {
  private let folder: UpkeepFolder

  init() throws {
    folder = try UpkeepFolder()
  }

  private static let log = "SELECT * FROM transitions WHERE seq <= "

  @Test("beside sidecars that write, the copy holds every change up to its head, and no other")
  func besideWriters() throws {
    try folder.fill(2_000)
    let sidecars = try (0..<3).map { _ in try SidecarProcess(serving: folder.database) }
    let count = 1_000
    for (place, sidecar) in sidecars.enumerated() {
      for number in 0..<count {
        let params = #"{"id":"\#(place) \#(number)","event":"start"}"#
        try sidecar.send(id: number, "transition", params)
      }
    }
    let copy = folder.path("copy.sqlite")
    let outcome = try folder.run("backup", copy, "--json")
    #expect(outcome.exit == .code(0) && outcome.errors == "")
    for sidecar in sidecars {
      for number in 0..<count {
        #expect(try sidecar.answer().integer("id") == Int64(number))
      }
      #expect(try sidecar.stop() == .code(0))
    }
    let json = try JSON(reading: outcome.output)
    let seq = try #require(json["seq"]?.whole)
    #expect(seq >= 6_000 && json["renders"]?.whole == 2_000 + seq - 6_000)
    #expect(json["path"]?.text?.hasSuffix("/copy.sqlite") == true)
    #expect(try folder.head(copy) == "\(seq)\n")
    #expect(try folder.head(folder.database) == "9000\n")
    let (own, copied) = try (
      SidecarProcess.sqlite3(folder.database, Self.log + "\(seq)"),
      SidecarProcess.sqlite3(copy, Self.log + "\(seq)")
    )
    #expect(own == copied)
    #expect(try folder.mode(copy) == 0o600)
    let examined = try SidecarProcess.run(["doctor", "--database", copy])
    #expect(examined.exit == .code(0), "\(examined.output)")
    #expect(try folder.files == ["copy.sqlite", "store.sqlite", "store.sqlite.lock"])
  }

  @Test("what it did is told in a line; a committed change that is in the log beside it is copied")
  func unappliedLog() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("a", "start")
    sidecar.kill()
    _ = try sidecar.exit()
    let copy = folder.path("copy.sqlite")
    let outcome = try folder.run("backup", copy)
    #expect(outcome.exit == .code(0))
    #expect(outcome.output.contains(#/copy.sqlite: 1 render up to seq 1, [0-9.]+ KiB, checked/#))
    let status = try SidecarProcess.run(["status", "a", "--json", "--database", copy])
    #expect(try JSON(reading: status.output)["state"]?.text == "queued")
  }

  @Test("a database of an older version is copied as it is")
  func olderVersion() throws {
    let schema = try Repository.text("Tests/RenderStoreTests/Schema1.sql")
    let head = "PRAGMA application_id = 0x72737461; PRAGMA user_version = 1;"
    try SidecarProcess.sqlite3(folder.database, schema + head)
    #expect(try folder.run("backup", "copy.sqlite").exit == .code(0))
    let version = try SidecarProcess.sqlite3(folder.path("copy.sqlite"), "PRAGMA user_version")
    #expect(version == "1\n")
  }

  @Test("nothing is written over, and nothing made where it cannot be: a line and code 1")
  func refusals() throws {
    _ = try OperatedStore(at: folder.database)
    try Data("mine".utf8).write(to: URL(filePath: folder.path("there")))
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("link"),
      withDestinationPath: folder.path("nowhere")
    )
    for name in ["there", "link", folder.database, folder.folder.url.path, "."] {
      try folder.expectRefusal("backup", name, saying: "is there already")
    }
    try folder.expectRefusal("backup", "nowhere/copy", saying: "there is no folder nowhere")
    try folder.expectRefusal("backup", "nowhere/", saying: "name of a folder")
    let name = folder.database + "-journal"
    try folder.expectRefusal("backup", name, saying: "belongs to the database")
    let empty = try folder.run("backup", "")
    #expect(empty.exit == .code(64))
  }

  @Test("a database that is not there is not made, and a damaged one gives no backup")
  func unusableDatabase() throws {
    try folder.expectRefusal("backup", "copy", saying: "there is no database")
    #expect(try folder.files == [])
    try folder.fill(300)
    try folder.damage(folder.database)
    try folder.expectRefusal("backup", "copy", saying: "malformed; `renderstate doctor` tells more")
  }

  @Test("a disk that takes no more leaves nothing of the copy")
  func fileSizeLimit() throws {
    try folder.fill(300)
    var launch = SidecarProcess.Launch(["backup", "copy", "--database", folder.database])
    launch.folder = folder.folder.url.path
    launch.wrapper = ["prlimit", "--fsize=40960"]
    let process = try SidecarProcess(launch)
    #expect(try process.stop() == .code(1))
    #expect(try process.errorText().contains("cannot be"))
    #expect(try !folder.files.contains { $0.hasPrefix("copy") })
  }

  /// Whether a filesystem can be mounted in a namespace of its own.
  private static let mayMount: Bool = {
    let mount = ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (try? SidecarProcess.run(mount, program: "unshare").exit) == .code(0)
  }()

  @Test("a full disk is told, and nothing is left on it", .enabled(if: mayMount))
  func fullDisk() throws {
    try folder.fill(300)
    try FileManager.default.createDirectory(
      atPath: folder.path("small"),
      withIntermediateDirectories: false
    )
    var launch = SidecarProcess.Launch([
      "backup", folder.path("small/copy"), "--database", folder.database,
    ])
    let script = #"""
      mount -t tmpfs -o size=40k tmpfs "$1" && small="$1" && shift && "$@"
      code=$?; ls -A "$small"; exit $code
      """#
    launch.wrapper = ["unshare", "-m", "sh", "-c", script, "sh", folder.path("small")]
    let process = try SidecarProcess(launch)
    #expect(try process.stop() == .code(1))
    #expect(try process.outputText() == "")
    #expect(try process.errorText().contains("the disk is full"))
  }

  @Test(
    "stopped or killed at any moment it leaves the whole copy or none under its name",
    arguments: [SIGINT, SIGTERM, SIGKILL]
  )
  func ended(by signal: Int32) throws {
    try folder.fill(3_000, metadata: 2_000)
    var copies = 0
    for delay in [0, 5, 20, 60, 150, 400] {
      let name = "copy \(delay)"
      let launch = SidecarProcess.Launch([
        "backup", folder.path(name), "--database", folder.database,
      ])
      let process = try SidecarProcess(launch)
      usleep(useconds_t(delay * 1_000))
      process.signal(signal)
      let exit = try process.exit()
      let isThere = FileManager.default.fileExists(atPath: folder.path(name))
      if signal != SIGKILL, exit != .signal(signal) {
        #expect(exit == .code(isThere ? 0 : 128 + signal))
        #expect(try !folder.files.contains { $0.hasSuffix("partial") })
      }
      guard isThere else { continue }
      copies += 1
      #expect(try folder.head(folder.path(name)) == "9000\n")
    }
    // The next one removes what a killed one has left.
    #expect(try folder.run("backup", "last").exit == .code(0))
    let files = try folder.files.filter { !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
    #expect(files.count == copies + 3, "\(files)")
  }

  @Test("nobody reads what it tells: code 141, and the copy is whole")
  func brokenPipe() throws {
    _ = try OperatedStore(at: folder.database)
    for (name, arguments) in [("a", []), ("b", ["--json"])] {
      var launch = SidecarProcess.Launch(
        ["backup", folder.path(name), "--database", folder.database] + arguments
      )
      launch.output = .broken
      #expect(try SidecarProcess(launch).exit() == .code(141))
      #expect(try folder.head(folder.path(name)) == "11\n")
    }
  }

  @Test("streams that are closed never get the number of the copy's file")
  func closedStreams() throws {
    _ = try OperatedStore(at: folder.database)
    var launch = SidecarProcess.Launch(["backup", folder.path("a"), "--database", folder.database])
    (launch.input, launch.output, launch.errors) = (.closed, .closed, .closed)
    #expect(try SidecarProcess(launch).exit() == .code(0))
    #expect(try SidecarProcess.sqlite3(folder.path("a"), "PRAGMA integrity_check") == "ok\n")
  }

  @Test("on a terminal a bar shows how far it is, and goes away")
  func bar() throws {
    _ = try OperatedStore(at: folder.database)
    let line = [
      SidecarProcess.binary, "backup", folder.path("a"), "--database", folder.database,
    ].map { "'\($0)'" }.joined(separator: " ")
    // script(1) runs it on a terminal.
    let outcome = try SidecarProcess.run(
      ["-qec", "stty cols 100 rows 30; \(line)", "/dev/null"],
      program: "script",
      environment: ["TERM": "xterm", "NO_COLOR": ""]
    )
    #expect(outcome.exit == .code(0))
    #expect(outcome.output.contains("copying") && outcome.output.contains("━"))
    #expect(outcome.output.contains("\r\u{1B}[K\u{1B}[?25h"))
  }
}
