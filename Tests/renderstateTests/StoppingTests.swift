import Foundation
import Support
import Testing

@Suite("Stopping")
struct StoppingTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  enum Way: CaseIterable {
    case endOfInput
    case sigterm
    case sigint
    case shutdown
  }

  private func stop(_ sidecar: SidecarProcess, _ way: Way) throws {
    switch way {
    case .endOfInput: sidecar.closeInput()
    case .sigterm: sidecar.signal(SIGTERM)
    case .sigint: sidecar.signal(SIGINT)
    case .shutdown: try sidecar.send(id: nil, "shutdown")
    }
  }

  /// The last connection to close moves the log into the file and removes it.
  private func expectStoreClosed(_ path: String? = nil) {
    #expect(!FileManager.default.fileExists(atPath: (path ?? folder.database) + "-wal"))
  }

  /// Waits until the sidecar reads, and so is past its start, without an answer.
  private func awaitReader(_ sidecar: SidecarProcess) throws {
    // More than a pipe holds: when it is written, somebody has read.
    try sidecar.send(String(repeating: " ", count: 1 << 18))
  }

  private func version(_ id: String) throws -> Int64? {
    let sidecar = try SidecarProcess(serving: folder.database)
    return try sidecar.call("getStatus", #"{"id":"\#(id)"}"#).integer("result", "version")
  }

  @Test(
    "however it is stopped, subscriptions are told, the store is closed, the exit code is 0",
    arguments: Way.allCases
  )
  func stops(way: Way) throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.call("subscribe")
    _ = try sidecar.transition("a", "start")
    try stop(sidecar, way)
    #expect(try sidecar.exit() == .code(0))
    let rest = try sidecar.receiveRest()
    #expect(rest.map { $0.string("method") } == ["status", "subscriptionEnded"])
    #expect(rest.last?.string("params", "reason") == "shutdown")
    #expect(try sidecar.errorText() == "")
    expectStoreClosed()
  }

  @Test("everything written before the end of stdin is answered, in order")
  func pipelinedBeforeTheEnd() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    try sidecar.send(id: 0, "transition", #"{"id":"a","event":"start"}"#)
    for id in 1...1_000 {
      try sidecar.send(id: id, "transition", #"{"id":"a","event":"progress"}"#)
    }
    #expect(try sidecar.stop() == .code(0))
    let answers = try sidecar.receiveRest()
    #expect(answers.map { $0.integer("id") } == (0...1_000).map { $0 })
    #expect(answers.last?.integer("result", "version") == 1_001)
    expectStoreClosed()
    #expect(try version("a") == 1_001)
  }

  @Test("a signal in the middle of much work: what was answered is in the store, and no more")
  func signalUnderLoad() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("a", "start")
    let lines = (1...4_000).map {
      SidecarProcess.message(id: $0, "transition", #"{"id":"a","event":"progress"}"#)
    }
    let writer = Thread { try? sidecar.send(lines.joined(separator: "\n")) }
    writer.start()
    let first = try sidecar.receive()
    sidecar.signal(SIGTERM)
    sidecar.signal(SIGTERM)
    #expect(try sidecar.exit() == .code(0))
    let answers = try [first] + sidecar.receiveRest()
    #expect(answers.map { $0.integer("id") } == (1...answers.count).map { Int64($0) })
    expectStoreClosed()
    #expect(try version("a") == Int64(answers.count + 1))
  }

  @Test("a signal before the database is open counts as soon as it is")
  func signalAtTheStart() throws {
    let lock = try #require(HeldLock(folder.database + ".lock"))
    let sidecar = try SidecarProcess(serving: folder.database)
    lock.awaitOpening()
    sidecar.signal(SIGTERM)
    lock.release()
    #expect(try sidecar.exit() == .code(0))
    #expect(try sidecar.outputText() == "")
  }

  @Test("a signal before the first line is read ends the sidecar with code 0")
  func signalAtOnce() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    awaitHeldSignals(sidecar.identifier)
    sidecar.signal(SIGTERM)
    #expect(try sidecar.exit() == .code(0))
    #expect(try sidecar.outputText() == "")
    #expect(try sidecar.errorText() == "")
  }

  @Test(
    "a signal ends a sidecar that cannot open its database yet, though the lock is never let go"
  )
  func signalWhileOpening() throws {
    let lock = try #require(HeldLock(folder.database + ".lock"))
    let sidecar = try SidecarProcess(serving: folder.database, ["--busy-timeout", "24h"])
    lock.awaitOpening()
    sidecar.signal(SIGTERM)
    #expect(try sidecar.exit() == .code(0))
    #expect(try sidecar.outputText() == "")
    #expect(try sidecar.errorText() == "")
    lock.release()
  }

  @Test(
    "a signal while the store waits for a lock: what waits is refused as storeBusy, the rest is answered"
  )
  func signalAtALock() throws {
    let sidecar = try SidecarProcess(serving: folder.database, ["--busy-timeout", "24h"])
    _ = try sidecar.transition("a", "start")
    let lock = try #require(HeldLock(folder.database + ".lock"))
    let lines = [
      SidecarProcess.message(id: 1, "transition", #"{"id":"a","event":"progress"}"#),
      SidecarProcess.message(id: 2, "getStatus", #"{"id":"a"}"#),
    ]
    try sidecar.send(lines.joined(separator: "\n"))
    lock.awaitWaiting()
    sidecar.signal(SIGTERM)
    #expect(try sidecar.exit() == .code(0))
    let answers = try sidecar.receiveRest()
    #expect(answers.map { $0.integer("id") } == [1, 2])
    #expect(answers.first?.errorKind == "storeBusy")
    #expect(answers.last?.integer("result", "version") == 1)
    lock.release()
    #expect(try version("a") == 1)
  }

  @Test(
    "a killed parent ends a sidecar that waits for a lock, though its streams are open",
    arguments: [false, true]
  )
  func killedParentAtALock(isOpen: Bool) throws {
    let lock = try #require(HeldLock(folder.database + ".lock"))
    if isOpen { lock.release() }
    var launch = SidecarProcess.Launch(serving: folder.database, ["--busy-timeout", "24h"])
    launch.wrapper = ["sh", "-c", #"exec 3<&0; "$@" <&3 & wait"#, "host"]
    let host = try SidecarProcess(launch)
    if isOpen {
      _ = try host.transition("a", "start")
      #expect(lock.take())
      try host.send(id: 1, "transition", #"{"id":"a","event":"progress"}"#)
    }
    lock.awaitWaiting()
    host.kill()
    #expect(try host.exit() == .signal(SIGKILL))
    #expect(try host.receiveRest().isEmpty)
    lock.release()
    #expect(try version("a") == (isOpen ? 1 : 0))
  }

  /// Waits until a process holds SIGTERM back (proc(5), SigBlk).
  private func awaitHeldSignals(_ process: pid_t) {
    while let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) {
      let line = status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") }
      let held = line.flatMap {
        UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16)
      }
      if let held, held >> (SIGTERM - 1) & 1 == 1 { return }
      sched_yield()
    }
  }

  @Test("shutdown is answered, and requests behind it get shuttingDown and do nothing")
  func shutdownRequest() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    let lines = [
      SidecarProcess.message(id: 1, "transition", #"{"id":"a","event":"start"}"#),
      SidecarProcess.message(id: 2, "shutdown"),
      SidecarProcess.message(id: 3, "transition", #"{"id":"a","event":"cancel"}"#),
      SidecarProcess.message(id: nil, "transition", #"{"id":"a","event":"cancel"}"#),
      "nonsense",
      SidecarProcess.message(id: 4, "no such method"),
      "[\(SidecarProcess.message(id: 5, "ping"))]",
    ]
    try sidecar.send(lines.joined(separator: "\n"))
    #expect(try sidecar.exit() == .code(0))
    let rest = try sidecar.receiveRest()
    #expect(rest.map { $0.integer("id") } == [1, 2, 3, nil, 4, nil])
    #expect(rest.map(\.errorCode) == [nil, nil, -32_007, -32_700, -32_007, nil])
    #expect(rest[2].errorKind == "shuttingDown")
    #expect(rest[5].elements().map(\.errorCode) == [-32_007])
    expectStoreClosed()
    #expect(try version("a") == 1)
  }

  @Test("shutdown inside a batch ends the sidecar after the batch's answers")
  func shutdownInABatch() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    let batch = [
      SidecarProcess.message(id: 1, "transition", #"{"id":"a","event":"start"}"#),
      SidecarProcess.message(id: 2, "shutdown"),
      SidecarProcess.message(id: 3, "transition", #"{"id":"a","event":"cancel"}"#),
    ]
    try sidecar.send("[" + batch.joined(separator: ",") + "]")
    #expect(try sidecar.exit() == .code(0))
    let answers = try #require(try sidecar.receiveRest().first).elements()
    #expect(answers.map { $0.integer("id") } == [1, 2, 3])
    #expect(answers.map(\.errorCode) == [nil, nil, -32_007])
    #expect(try version("a") == 1)
  }

  @Test("a stdout that takes nothing holds up a stop for about 5 s and no longer")
  func blockedOutput() throws {
    let sidecars = try Way.allCases.map { way in
      var launch = SidecarProcess.Launch(serving: folder.path("\(way).sqlite"))
      launch.isReading = false
      return (way, try SidecarProcess(launch))
    }
    for (_, sidecar) in sidecars {
      try awaitReader(sidecar)
      for id in 1...60 { try sidecar.send(id: id, "rpc.discover") }
    }
    let begin = Date()
    for (way, sidecar) in sidecars { try stop(sidecar, way) }
    for (way, sidecar) in sidecars {
      #expect(try sidecar.exit() == .code(0), "\(way)")
    }
    #expect(Date().timeIntervalSince(begin) < 20)
  }

  @Test("stdin may be closed with more on it than is read while stdout takes nothing")
  func blockedBothWays() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.isReading = false
    let sidecar = try SidecarProcess(launch)
    // Answers that nobody takes, then more than the sidecar lets in meanwhile.
    for id in 1...40 { try sidecar.send(id: id, "rpc.discover") }
    let pings = (41...10_500).map { SidecarProcess.message(id: $0, "ping") }
    try sidecar.send(pings.joined(separator: "\n"))
    #expect(try sidecar.stop() == .code(0))
  }

  @Test("a host that goes on writing behind its shutdown is left after a while")
  func endlessInput() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    try sidecar.send(id: 1, "shutdown")
    let lines = Array(repeating: SidecarProcess.message(id: 2, "ping"), count: 500)
    let writer = Thread { while (try? sidecar.send(lines.joined(separator: "\n"))) != nil {} }
    writer.start()
    #expect(try sidecar.exit() == .code(0))
  }

  @Test("a stdout that is read late gets everything that is owed")
  func lateReader() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.isReading = false
    let sidecar = try SidecarProcess(launch)
    try sidecar.send(id: 1, "subscribe")
    for id in 2...100 {
      try sidecar.send(id: id, "transition", #"{"id":"a\#(id)","event":"start"}"#)
      try sidecar.send(id: 1_000 + id, "rpc.discover")
    }
    sidecar.closeInput()
    sidecar.resumeReading()
    #expect(try sidecar.exit() == .code(0))
    let messages = try sidecar.receiveRest()
    let answers = messages.filter { !$0.isNotification }.map { $0.integer("id") }
    let owed: [Int64?] = [1] + (2...100).flatMap { (id: Int64) -> [Int64?] in [id, 1_000 + id] }
    #expect(answers == owed)
    let notifications = messages.filter(\.isNotification)
    let told = notifications.compactMap { $0.integer("params", "change", "seq") }
    #expect(told == (1...99).map { $0 })
    #expect(notifications.last?.string("method") == "subscriptionEnded")
  }

  @Test("a closed stdout ends the sidecar, though stdin is open", arguments: [false, true])
  func closedOutput(isSocket: Bool) throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.output = isSocket ? .socket : .pipe
    let sidecar = try SidecarProcess(launch)
    _ = try sidecar.transition("a", "start")
    sidecar.closeOutput()
    #expect(try sidecar.exit() == .code(0))
    expectStoreClosed()
    #expect(try version("a") == 1)
  }

  @Test("a stdout that closes under load ends the sidecar; what was answered stays")
  func closedOutputUnderLoad() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("a", "start")
    let lines = (1...2_000).map {
      SidecarProcess.message(id: $0, "transition", #"{"id":"a","event":"progress"}"#)
    }
    let writer = Thread { try? sidecar.send(lines.joined(separator: "\n")) }
    writer.start()
    let answered = try sidecar.receive().integer("result", "version") ?? 0
    sidecar.closeOutput()
    #expect(try sidecar.exit() == .code(0))
    expectStoreClosed()
    #expect(try version("a") ?? 0 >= answered)
  }

  @Test("a killed parent ends the sidecar, though another process keeps its stdin open")
  func killedParent() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    // The background job's stdin would be /dev/null without the detour.
    launch.wrapper = ["sh", "-c", #"exec 3<&0; "$@" <&3 & wait"#, "host"]
    let host = try SidecarProcess(launch)
    _ = try host.transition("a", "start")
    host.kill()
    #expect(try host.exit() == .signal(SIGKILL))
    // The sidecar is the last one that has stdout: its end is the sidecar's.
    #expect(try host.receiveRest().isEmpty)
    expectStoreClosed()
    #expect(try version("a") == 1)
  }

  @Test("a killed parent ends the sidecar, though its stdout takes nothing")
  func killedParentWithBlockedOutput() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.wrapper = ["sh", "-c", #"exec 3<&0; "$@" <&3 & wait"#, "host"]
    launch.isReading = false
    let host = try SidecarProcess(launch)
    try awaitReader(host)
    for id in 1...60 { try host.send(id: id, "rpc.discover") }
    host.kill()
    #expect(try host.exit() == .signal(SIGKILL))
    // Of stderr too it is the last one; nothing of stdout has been read.
    #expect(try host.errorText() == "")
  }
}

/// The lock file of a database, held so that a sidecar waits.
private final class HeldLock {
  private let descriptor: Int32
  private let watch: Int32

  /// Takes it; nil if it cannot be had.
  init?(_ path: String) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    watch = inotify_init1(Int32(IN_CLOEXEC))
    guard descriptor >= 0, watch >= 0, take(),
      inotify_add_watch(watch, path, UInt32(IN_OPEN)) >= 0
    else { return nil }
  }

  deinit {
    close(descriptor)
    close(watch)
  }

  /// Waits until another process opens it.
  func awaitOpening() {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    _ = read(watch, &buffer, buffer.count)
  }

  /// Waits until another process waits for it, in the kernel's own list (proc(5)).
  func awaitWaiting() {
    var status = stat()
    fstat(descriptor, &status)
    while true {
      // All of it, and not what one read gets: other tests hold hundreds of locks.
      let file = FileHandle(forReadingAtPath: "/proc/locks")
      let list = (try? file?.readToEnd()) ?? Data()
      let isWaitedFor = String(decoding: list, as: UTF8.self).split(separator: "\n").contains {
        line in
        line.contains("-> FLOCK") && line.contains(":\(status.st_ino) ")
      }
      if isWaitedFor { return }
      sched_yield()
    }
  }

  /// Waits for whoever has it: a sidecar answers before it lets the gate go.
  func take() -> Bool {
    flock(descriptor, LOCK_EX) == 0
  }

  func release() {
    flock(descriptor, LOCK_UN)
  }
}
