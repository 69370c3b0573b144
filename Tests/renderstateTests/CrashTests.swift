import Foundation
import Support
import Testing

@Suite("A killed sidecar", .serialized)
struct CrashTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("nothing acknowledged is missing after kill -9 under load; resent requests are replayed")
  func nothingIsLost() throws {
    var acknowledged: Int64 = 0
    for round in 0..<4 {
      let sidecar = try SidecarProcess(serving: folder.database)
      if round == 0 { acknowledged = try start(sidecar) }
      let requests = 3_000
      let first = try version(sidecar) + 1
      #expect(first > acknowledged)
      let lines = (0..<requests).map { index in
        let version = first + Int64(index)
        let params =
          #"{"id":"a","event":"progress","expectedVersion":\#(version - 1),"#
          + #""idempotencyKey":"key-\#(version)"}"#
        return SidecarProcess.message(id: Int(version), "transition", params)
      }
      let writer = Thread { try? sidecar.send(lines.joined(separator: "\n")) }
      writer.start()
      for _ in 0..<(50 + 300 * round) {
        let answer = try sidecar.answer()
        acknowledged = try #require(answer.integer("result", "version"))
      }
      sidecar.kill()
      #expect(try sidecar.exit() == .signal(SIGKILL))
      // What was written before the kill was acknowledged too, read or not.
      for answer in try sidecar.receiveRest() {
        if let version = answer.integer("result", "version") { acknowledged = version }
      }

      let next = try SidecarProcess(serving: folder.database)
      #expect(try version(next) >= acknowledged)
      let params = #"{"id":"a","event":"progress","idempotencyKey":"key-\#(acknowledged)"}"#
      let again = try next.call("transition", params)
      #expect(again.bool("result", "replayed") == true)
      #expect(again.integer("result", "version") == acknowledged)
      #expect(try next.stop() == .code(0))
    }
    let gaps = """
      SELECT count(*) = max(version) AND count(*) = max(seq)
        AND count(*) = (SELECT version FROM renders) FROM transitions
      """
    #expect(try SidecarProcess.sqlite3(folder.database, gaps) == "1\n")
    #expect(try SidecarProcess.sqlite3(folder.database, "PRAGMA integrity_check") == "ok\n")
  }

  private func start(_ sidecar: SidecarProcess) throws -> Int64 {
    try #require(try sidecar.transition("a", "start").integer("result", "version"))
  }

  private func version(_ sidecar: SidecarProcess) throws -> Int64 {
    try #require(try sidecar.call("getStatus", #"{"id":"a"}"#).integer("result", "version"))
  }

  @Test("kill -9 of one process in the middle of a commit does not hold up the others")
  func gateIsFreed() throws {
    let survivor = try SidecarProcess(serving: folder.database)
    _ = try survivor.transition("b", "start")
    for round in 1...5 {
      let victim = try SidecarProcess(serving: folder.database)
      let lines = (1...2_000).map { index in
        let params = #"{"id":"\#(round)-\#(index)","event":"start"}"#
        return SidecarProcess.message(id: index, "transition", params)
      }
      let writer = Thread { try? victim.send(lines.joined(separator: "\n")) }
      writer.start()
      _ = try victim.answer()
      victim.kill()
      #expect(try survivor.transition("b", "progress").errorCode == nil)
    }
    #expect(try SidecarProcess.sqlite3(folder.database, "PRAGMA integrity_check") == "ok\n")
  }
}
