import GRDB
import JSON
import RenderStore
import Support
import Testing

@Suite("A store that fails")
struct StoreFailureTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("who cannot have the locks in time gets storeBusy, all that wait together, and goes on")
  func busy() throws {
    let sidecar = try MemorySidecar(folder, busyTimeout: .milliseconds(50))
    let other = try RenderStore.inFolder(folder)
    try sidecar.transition("a", "start")
    _ = try sidecar.subscribe()
    try other.locked {
      for index in 0..<600 {
        sidecar.post("transition", #"{"id":"v\#(index)","event":"start"}"#)
      }
      sidecar.post("acquireLease", #"{"name":"n","holder":"h","ttlMs":1000}"#)
      for id in 3...603 {
        let error = try sidecar.answer(to: Int64(id))["error"]
        #expect(error?["code"] == .integer(-32_004))
        #expect(error?["data"] == (try json(#"{"kind":"storeBusy"}"#)))
      }
      // Who only reads needs no lock.
      #expect(try sidecar.result("getStatus", #"{"id":"a"}"#)["version"] == .integer(1))
    }
    other.close()
    try sidecar.transition("v0", "start")
    let stats = try sidecar.result("stats")
    #expect(stats["store", "seq"] == .integer(2))
    #expect(stats["methods", "transition", "errors"] == .integer(600))
    #expect(try sidecar.stop().map(spelled) == ["s1 2", "s1 shutdown"])
  }

  @Test("a foreign program that holds SQLite's own lock is waited for, too")
  func foreignLock() throws {
    let sidecar = try MemorySidecar(folder, busyTimeout: .milliseconds(50))
    try sidecar.transition("a", "start")
    let foreign = try DatabaseQueue(path: folder.database)
    try foreign.inTransaction(.immediate) { _ in
      let error = try sidecar.error("transition", #"{"id":"a","event":"progress"}"#)
      #expect(kind(error) == "storeBusy")
      return .rollback
    }
    try sidecar.transition("a", "progress")
    try foreign.close()
  }

  /// Makes a render whose row cannot be read, by hand and past the guards.
  private func damage(_ id: String) throws {
    let foreign = try DatabaseQueue(path: folder.database)
    try foreign.write { database in
      try database.execute(
        sql: """
          DROP TRIGGER renders_guard_change;
          UPDATE renders SET state = 'failed', event = 'cancel', error = 'by hand',
            metadata = '{broken}', version = version + 1 WHERE id = ?
          """,
        arguments: [id]
      )
    }
    try foreign.close()
  }

  @Test("one request at fault does not fail those that share its commit")
  func oneAtFault() throws {
    let sidecar = try MemorySidecar(folder)
    try sidecar.transition("bad", "start")
    try damage("bad")
    _ = try sidecar.subscribe()
    let requests = [
      request("transition", #"{"id":"a","event":"start"}"#, id: 1),
      request("transition", #"{"id":"bad","event":"start"}"#, id: 2),
      request("getStatus", #"{"id":"bad"}"#, id: 3),
      request("transition", #"{"id":"a","event":"start"}"#, id: 4),
      #"{"jsonrpc":"2.0","method":"transition","params":{"id":"bad","event":"start"}}"#,
      request("getStatus", #"{"id":"a"}"#, id: 5),
      request("transition", #"{"id":"b","event":"start"}"#, id: 6), "7",
    ]
    sidecar.send("[\(requests.joined(separator: ","))]")
    let answers = try #require(try sidecar.receive().array)
    #expect(
      answers.map(spelled) == [
        "1", "2 storeUnavailable", "3 storeUnavailable", "4 invalidTransition", "5", "6",
        "null invalidRequest",
      ]
    )
    let error = try #require(answers[1]["error"])
    #expect(error["code"] == .integer(-32_005))
    #expect(error["data"] == (try json(#"{"kind":"storeUnavailable","retryable":false}"#)))
    #expect(answers[0]["result", "seq"] == .integer(3))
    #expect(answers[5]["result", "seq"] == .integer(4))
    // Each call counts once, however often it was tried.
    let methods = try sidecar.result("stats")["methods"]
    #expect(methods?["transition", "count"] == .integer(6))
    #expect(methods?["transition", "errors"] == .integer(3))
    #expect(methods?["getStatus", "errors"] == .integer(1))
    #expect(try sidecar.stop().map(spelled) == ["s1 3", "s1 4", "s1 shutdown"])
  }

  @Test("after a failed group requests share their commits again")
  func afterwards() throws {
    let sidecar = try MemorySidecar(folder)
    try sidecar.transition("bad", "start")
    try damage("bad")
    for round in 0..<3 {
      for index in 0..<50 {
        sidecar.post("transition", #"{"id":"v\#(round)-\#(index)","event":"start"}"#)
        sidecar.post("getStatus", #"{"id":"v\#(round)-\#(index)"}"#)
      }
      sidecar.post("transition", #"{"id":"bad","event":"start"}"#)
      for index in 0..<101 {
        let answer = try sidecar.answer(to: Int64(2 + round * 101 + index))
        #expect((answer["error"] != nil) == (index == 100))
      }
    }
    #expect(try sidecar.result("stats")["store", "seq"] == .integer(152))
  }
}
