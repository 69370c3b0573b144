import Foundation
import Support
import Testing

@Suite("A store in trouble", .serialized)
struct StoreTroubleTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("while another program holds the write lock: storeBusy, reads go on; then it works")
  func busy() throws {
    let sidecar = try SidecarProcess(serving: folder.database, ["--busy-timeout", "100ms"])
    _ = try sidecar.transition("a", "start")
    let holder = try openShell()
    try holder.send("BEGIN IMMEDIATE; SELECT 'held';")
    #expect(try holder.receive().text == "held")

    // Two in a row wait together, not one after the other; both are refused.
    for _ in 1...2 {
      let refused = try sidecar.transition("a", "progress")
      #expect(refused.errorCode == -32_004)
      #expect(refused.errorKind == "storeBusy")
    }
    let status = try sidecar.call("getStatus", #"{"id":"a"}"#)
    #expect(status.integer("result", "version") == 1)

    try holder.send("COMMIT; SELECT 'freed';")
    #expect(try holder.receive().text == "freed")
    #expect(try sidecar.transition("a", "progress").integer("result", "version") == 2)
  }

  @Test("a lock that is freed within --busy-timeout is waited for")
  func waitsForTheLock() throws {
    let sidecar = try SidecarProcess(serving: folder.database, ["--busy-timeout", "10m"])
    let holder = try openShell()
    _ = try sidecar.call("ping")
    try holder.send("BEGIN IMMEDIATE; SELECT 'held';")
    #expect(try holder.receive().text == "held")
    try sidecar.send(id: 1, "transition", #"{"id":"a","event":"start"}"#)
    try holder.send("COMMIT;")
    #expect(try sidecar.answer().integer("result", "version") == 1)
  }

  /// The sqlite3 shell, as it answers line by line.
  private func openShell() throws -> SidecarProcess {
    var launch = SidecarProcess.Launch(["-bail", folder.database])
    launch.wrapper = ["stdbuf", "-oL"]
    launch.program = "sqlite3"
    return try SidecarProcess(launch)
  }

  private var largeMetadata: String {
    #","context":{"metadata":{"x":"\#(String(repeating: "x", count: 16_000))"}}"#
  }

  /// Writes until the disk is full, expects the store to be refused but readable, makes room, and
  /// expects it to work, in the same process.
  private func fillAndRecover(
    _ sidecar: SidecarProcess,
    makeRoom: () throws -> Void
  ) throws {
    _ = try sidecar.call("subscribe")
    var written = 0
    var refused = try sidecar.transition("r0", "start", largeMetadata)
    while refused.errorCode == nil, written < 2_000 {
      written += 1
      refused = try sidecar.transition("r\(written)", "start", largeMetadata)
    }
    #expect(written > 0)
    #expect(refused.errorCode == -32_005)
    #expect(refused.errorKind == "storeUnavailable")
    #expect(refused.bool("error", "data", "retryable") == true)

    let last = try sidecar.call("getStatus", #"{"id":"r\#(written - 1)"}"#)
    #expect(last.string("result", "state") == "queued")
    let missing = try sidecar.call("getStatus", #"{"id":"r\#(written)"}"#)
    #expect(missing.string("result", "state") == "idle")
    #expect(try sidecar.transition("r\(written)", "start", largeMetadata).errorCode == -32_005)

    try makeRoom()
    let seq = Int64(written + 1)
    let retried = try sidecar.transition("r\(written)", "start", largeMetadata)
    #expect(retried.integer("result", "seq") == seq)
    for expected in 1...seq {
      try #require(try sidecar.notification().integer("params", "change", "seq") == expected)
    }
    #expect(try sidecar.stop() == .code(0))
  }

  @Test("a file size limit is a full disk: storeUnavailable, reads go on; with room it works again")
  func fileSizeLimit() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.call("ping")
    sidecar.limitFileSize(1 << 20)
    try fillAndRecover(sidecar) { sidecar.limitFileSize(nil) }
    #expect(try SidecarProcess.sqlite3(folder.database, "PRAGMA integrity_check") == "ok\n")
  }

  /// Whether a filesystem can be mounted in a namespace of its own.
  private static let mayMount: Bool = {
    let mount = ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (try? SidecarProcess.run(mount, program: "unshare").exit) == .code(0)
  }()

  @Test(
    "a full disk is storeUnavailable, reads go on; with room it works again",
    .enabled(if: mayMount)
  )
  func fullDisk() throws {
    // The disk is there for the sidecar alone, and goes with it.
    let mount = #"""
      mount -t tmpfs -o size=4m tmpfs "$1" && head -c 3000000 /dev/zero >"$1/ballast" &&
        shift && exec "$@"
      """#
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.wrapper = ["unshare", "-m", "sh", "-c", mount, "mount", folder.url.path]
    let sidecar = try SidecarProcess(launch)
    _ = try sidecar.call("ping")
    try fillAndRecover(sidecar) {
      let ballast = "/proc/\(sidecar.identifier)/root" + folder.path("ballast")
      try FileManager.default.removeItem(atPath: ballast)
    }
  }
}
