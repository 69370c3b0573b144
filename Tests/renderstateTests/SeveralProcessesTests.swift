import Foundation
import Support
import Testing

@Suite("Several processes on one database", .serialized)
struct SeveralProcessesTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func launch(_ count: Int, _ arguments: [String] = []) throws -> [SidecarProcess] {
    try (0..<count).map { _ in try SidecarProcess(serving: folder.database, arguments) }
  }

  private func progress(_ id: Int, of render: String) -> String {
    SidecarProcess.message(id: id, "transition", #"{"id":"\#(render)","event":"progress"}"#)
  }

  @Test("of 8 processes that start the same render exactly one wins; the others see its status")
  func startRace() throws {
    let sidecars = try launch(8)
    let renders = 100
    for sidecar in sidecars { _ = try sidecar.call("ping") }
    let lines = (0..<renders).map { index in
      SidecarProcess.message(id: index, "transition", #"{"id":"video-\#(index)","event":"start"}"#)
    }
    for sidecar in sidecars { try sidecar.send(lines.joined(separator: "\n")) }
    var winners = [Int](repeating: 0, count: renders)
    for sidecar in sidecars {
      for render in 0..<renders {
        let answer = try sidecar.answer()
        if answer.errorCode == nil {
          #expect(answer.integer("result", "version") == 1)
          winners[render] += 1
        } else {
          #expect(answer.errorKind == "invalidTransition")
          #expect(answer.string("error", "data", "status", "state") == "queued")
          #expect(answer.string("error", "data", "status", "id") == "video-\(render)")
        }
      }
    }
    #expect(winners == [Int](repeating: 1, count: renders))
  }

  @Test("of 4 processes that expect the same version exactly one wins each")
  func versionRace() throws {
    let sidecars = try launch(4)
    _ = try sidecars[0].transition("a", "start")
    let versions = 1...100
    let lines = versions.map { version in
      let params = #"{"id":"a","event":"progress","expectedVersion":\#(version)}"#
      return SidecarProcess.message(id: version, "transition", params)
    }
    var winners: [Int64: Int] = [:]
    // Each asks for a version after it has seen the one before won, by whomever.
    for (version, line) in zip(versions, lines) {
      for sidecar in sidecars { try sidecar.send(line) }
      for sidecar in sidecars {
        let answer = try sidecar.answer()
        if answer.errorCode == nil {
          winners[Int64(version), default: 0] += 1
        } else {
          #expect(answer.errorKind == "conflict")
          #expect(answer.integer("error", "data", "status", "version") == Int64(version) + 1)
        }
      }
    }
    #expect(winners.count == versions.count)
    #expect(winners.filter { $0.value != 1 }.isEmpty)
  }

  @Test("a subscriber sees each change of 4 busy processes once, in the order of the log")
  func everyChangeOnce() throws {
    let subscriber = try SidecarProcess(serving: folder.database)
    #expect(try subscriber.call("subscribe").integer("result", "seq") == 0)
    let writers = try launch(4)
    let count = 2_000
    let threads = writers.enumerated().map { index, writer in
      let start = #"{"id":"\#(index)","event":"start"}"#
      let lines =
        [SidecarProcess.message(id: 1, "transition", start)]
        + (2...count).map { progress($0, of: "\(index)") }
      return Thread { try? writer.send(lines.joined(separator: "\n")) }
    }
    for thread in threads { thread.start() }
    var versions: [String: Int64] = [:]
    for seq in 1...Int64(4 * count) {
      let notification = try subscriber.notification()
      try #require(notification.integer("params", "change", "seq") == seq)
      #expect(notification.integer("params", "skipped") == 0)
      let id = try #require(notification.string("params", "change", "id"))
      let version = versions[id, default: 0] + 1
      try #require(notification.integer("params", "change", "version") == version)
      versions[id] = version
    }
    for writer in writers {
      for id in 1...Int64(count) {
        let answer = try writer.answer()
        try #require(answer.integer("id") == id)
        try #require(answer.errorCode == nil)
      }
    }
    #expect(try subscriber.stop() == .code(0))
    #expect(try subscriber.receiveRest().map { $0.string("method") } == ["subscriptionEnded"])
  }

  @Test("a change of another process reaches a subscriber, a legal UPDATE of a SQL shell too")
  func foreignChanges() throws {
    let sidecars = try launch(2)
    _ = try sidecars[0].call("subscribe", #"{"ids":["a"]}"#)
    _ = try sidecars[1].transition("a", "start")
    #expect(try sidecars[0].notification().integer("params", "change", "version") == 1)
    try SidecarProcess.sqlite3(
      folder.database,
      """
      UPDATE renders SET state = 'failed', event = 'cancel', error = 'by hand',
        version = version + 1 WHERE id = 'a'
      """
    )
    let byHand = try sidecars[0].notification()
    #expect(byHand.string("params", "change", "error") == "by hand")
    #expect(byHand.integer("params", "change", "version") == 2)
    #expect(try sidecars[1].transition("a", "start").integer("result", "version") == 3)
    #expect(try sidecars[0].notification().integer("params", "change", "version") == 3)
  }

  @Test("old SQL on the view reaches a subscriber as events, with actor sql; also behind the gate")
  func oldSQL() throws {
    let sidecars = try launch(2)
    _ = try sidecars[0].call("subscribe")
    for sql in [
      "INSERT INTO legacy_renders (id, processing_status) VALUES ('a', 'generating_video')",
      "UPDATE legacy_renders SET video_render_id = 'r1' WHERE id = 'a'",
      "UPDATE legacy_renders SET video_url = 'https://v/a' WHERE id = 'a'",
    ] {
      try SidecarProcess.sqlite3(folder.database, sql)
    }
    let restart = """
      UPDATE legacy_renders SET processing_status = 'generating_video', video_render_id = 'r2'
      WHERE id = 'a'
      """
    let behindGate = try SidecarProcess.run(
      [folder.database + ".lock", "sqlite3", folder.database, restart],
      program: "flock"
    )
    #expect(behindGate.exit == .code(0))
    let expected = [
      ("start", "queued"), ("progress", "rendering"), ("complete", "completed"),
      ("start", "queued"), ("progress", "rendering"),
    ]
    for (index, (event, state)) in expected.enumerated() {
      let told = try sidecars[0].notification()
      #expect(told.integer("params", "change", "seq") == Int64(index + 1))
      #expect(told.string("params", "change", "actor") == "sql")
      #expect(told.string("params", "change", "event") == event)
      #expect(told.string("params", "change", "state") == state)
    }
    let late = #","context":{"renderId":"r1","videoUrl":"https://v/late"}"#
    #expect(try sidecars[1].transition("a", "complete", late).errorKind == "staleRender")
    #expect(throws: SidecarProcess.Trouble.self) {
      try SidecarProcess.sqlite3(
        folder.database,
        "UPDATE legacy_renders SET processing_status = 'pending' WHERE id = 'a'"
      )
    }
    let status = try sidecars[1].call("getStatus", #"{"id":"a"}"#)
    #expect(status.integer("result", "version") == 5)
    #expect(status.string("result", "renderId") == "r2")
  }

  @Test("an illegal UPDATE of a SQL shell is refused, and nothing changes")
  func illegalChange() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.transition("a", "start")
    #expect(throws: SidecarProcess.Trouble.self) {
      try SidecarProcess.sqlite3(
        folder.database,
        "UPDATE renders SET state = 'completed', event = 'complete', version = 2 WHERE id = 'a'"
      )
    }
    let status = try sidecar.call("getStatus", #"{"id":"a"}"#)
    #expect(status.string("result", "state") == "queued")
    #expect(status.integer("result", "version") == 1)
  }

  @Test("of 4 processes one fails an overdue render, once, though its starter was killed")
  func watchdog() throws {
    let starter = try SidecarProcess(serving: folder.database)
    let others = try launch(4)
    _ = try others[0].call("subscribe")
    for id in 1...20 {
      let started = try starter.transition("a\(id)", "start", #","timeouts":{"queuedMs":300}"#)
      #expect(started.errorCode == nil)
    }
    starter.kill()
    #expect(try starter.exit() == .signal(SIGKILL))
    var failed: Set<String> = []
    while failed.count < 20 {
      let notification = try others[0].notification()
      guard notification.string("params", "change", "event") == "fail" else { continue }
      #expect(notification.string("params", "change", "actor") == "watchdog")
      let id = try #require(notification.string("params", "change", "id"))
      #expect(failed.insert(id).inserted)
    }
    for other in others { #expect(try other.stop() == .code(0)) }
    let fails = "SELECT count(*), count(DISTINCT id) FROM transitions WHERE event = 'fail'"
    #expect(try SidecarProcess.sqlite3(folder.database, fails) == "20|20\n")
  }

  @Test("a deadline that passed while nobody ran falls at the next start")
  func deadlineAcrossRestart() throws {
    let first = try SidecarProcess(serving: folder.database)
    _ = try first.transition("a", "start", #","timeouts":{"queuedMs":1}"#)
    first.kill()
    #expect(try first.exit() == .signal(SIGKILL))
    let second = try SidecarProcess(serving: folder.database)
    let subscribed = try second.call("subscribe", #"{"ids":["a"],"afterSeq":1}"#)
    #expect(subscribed.errorCode == nil)
    #expect(try second.notification().string("params", "change", "actor") == "watchdog")
  }

  @Test("a lease has one holder among all processes, and outlives the one that took it")
  func leases() throws {
    let sidecars = try launch(4)
    func acquire(_ sidecar: SidecarProcess, _ holder: Int) throws -> Received {
      try sidecar.call("acquireLease", #"{"name":"n","holder":"\#(holder)","ttlMs":600000}"#)
    }
    let answers = try sidecars.enumerated().map { try acquire($1, $0) }
    #expect(answers.map { $0.bool("result", "acquired") } == [true, false, false, false])
    #expect(Set(answers.map { $0.string("result", "holder") }) == ["0"])
    #expect(Set(answers.map { $0.integer("result", "token") }) == [1])
    sidecars[0].kill()
    #expect(try sidecars[0].exit() == .signal(SIGKILL))
    #expect(try acquire(sidecars[1], 1).bool("result", "acquired") == false)
    let released = try sidecars[1].call("releaseLease", #"{"name":"n","holder":"0"}"#)
    #expect(released.bool("result", "released") == true)
    #expect(try acquire(sidecars[2], 2).integer("result", "token") == 2)
  }

  @Test("many may open, use and close one new database at the same time")
  func openingTogether() throws {
    for round in 1...3 {
      let sidecars = try launch(8)
      for (index, sidecar) in sidecars.enumerated() {
        try sidecar.send(id: 1, "transition", #"{"id":"\#(round)-\#(index)","event":"start"}"#)
        sidecar.closeInput()
      }
      for sidecar in sidecars {
        #expect(try sidecar.exit() == .code(0))
        #expect(try sidecar.receiveRest().map(\.errorCode) == [nil])
      }
    }
    #expect(try SidecarProcess.sqlite3(folder.database, "SELECT count(*) FROM renders") == "24\n")
  }
}
