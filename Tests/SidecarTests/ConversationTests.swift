import JSON
import RenderProtocol
import RenderStore
import Support
import Testing

@Suite("A conversation")
struct ConversationTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("answers come in the order of the requests, errors in their places")
  func order() throws {
    let sidecar = try MemorySidecar(folder)
    sidecar.post("ping")
    sidecar.post("transition", #"{"id":"a","event":"start"}"#)
    sidecar.send("nonsense")
    sidecar.post("getStatus", #"{"id":"a"}"#)
    sidecar.send("[]")
    sidecar.post("transition", #"{"id":"a","event":"complete"}"#)
    sidecar.post("transition", #"{"id":"a"}"#)
    sidecar.post("nothing")
    sidecar.post("subscribe")
    sidecar.post("stats")
    #expect(
      try sidecar.receive(10) == [
        "1", "2", "null parseError", "3", "null invalidRequest", "4 invalidTransition",
        "5 invalidParams", "6 methodNotFound", "7", "8",
      ]
    )
  }

  @Test("requests take effect in the order in which they were written")
  func effects() throws {
    let sidecar = try MemorySidecar(folder)
    let events = ["start", "progress", "complete"]
    for index in 0..<300 {
      for event in events {
        sidecar.post("transition", #"{"id":"v\#(index)","event":"\#(event)"}"#)
        sidecar.post("getStatus", #"{"id":"v\#(index)"}"#)
      }
    }
    var seq: Int64 = 0
    for _ in 0..<300 {
      for state in ["queued", "rendering", "completed"] {
        seq += 1
        let answer = try sidecar.answer(to: 2 * seq - 1)
        #expect(answer["result", "seq"] == .integer(seq))
        let status = try sidecar.answer(to: 2 * seq)
        #expect(status["result", "state"]?.string == state)
        #expect(status["result", "seq"] == .integer(seq))
      }
    }
  }

  // MARK: - Batches

  private func batch(_ requests: [String]) -> String {
    "[\(requests.joined(separator: ","))]"
  }

  @Test("a batch over several commits gets one array, its changes told behind it, in order")
  func longBatch() throws {
    let sidecar = try MemorySidecar(folder)
    #expect(try sidecar.subscribe() == "s1")
    let ids = 1...1_000
    sidecar.send(
      batch(ids.map { request("transition", #"{"id":"v\#($0)","event":"start"}"#, id: $0) })
    )
    let answers = try #require(try sidecar.receive().array)
    #expect(answers.map { $0["id"]?.integer } == ids.map(Int64.init))
    #expect(answers.map { $0["result", "seq"]?.integer } == ids.map(Int64.init))
    #expect(try sidecar.receive(1_000) == ids.map { "s1 \($0)" })
  }

  @Test("a batch with answers larger than what may wait comes as one line")
  func largeBatch() throws {
    let sidecar = try MemorySidecar(folder)
    let text = String(repeating: "x", count: 16_000)
    try sidecar.transition("a", "start", #""context":{"metadata":{"text":"\#(text)"}}"#)
    sidecar.send(batch((1...200).map { request("getStatus", #"{"id":"a"}"#, id: $0) }))
    sidecar.post("ping")
    let line = try #require(try sidecar.receiveLine())
    #expect(line.utf8.count > 200 * 16_000)
    #expect(try json(line).array?.count == 200)
    #expect(try sidecar.receive(1) == ["2"])
  }

  @Test("reads and writes of a batch see each other, and an error stops nothing")
  func mixedBatch() throws {
    let sidecar = try MemorySidecar(folder)
    sidecar.send(
      batch([
        request("getStatus", #"{"id":"a"}"#, id: 1),
        request("transition", #"{"id":"a","event":"start"}"#, id: 2),
        request("getStatus", #"{"id":"a"}"#, id: 3), "7", #"{"jsonrpc":"2.0","id":4,"result":1}"#,
        request("transition", #"{"id":"a","event":"start"}"#, id: 5),
        #"{"jsonrpc":"2.0","method":"transition","params":{"id":"a","event":"progress"}}"#,
        #"{"jsonrpc":"2.0","method":"getStatus","params":{"id":"a"}}"#,
        request("nothing", id: 6), request("getStatus", #"{"id":"a"}"#, id: 7),
        request("getHistory", #"{"id":"a"}"#, id: 8),
        request("listStatuses", id: 9),
      ])
    )
    let answers = try #require(try sidecar.receive().array)
    #expect(
      answers.map(spelled) == [
        "1", "2", "3", "null invalidRequest", "5 invalidTransition", "6 methodNotFound", "7", "8",
        "9",
      ]
    )
    #expect(answers[0]["result", "state"]?.string == "idle")
    #expect(answers[2]["result", "state"]?.string == "queued")
    #expect(answers[6]["result", "state"]?.string == "rendering")
    #expect(answers[7]["result", "changes"]?.array?.count == 2)
    #expect(answers[8]["result", "statuses"]?.array?.count == 1)
  }

  @Test("a batch of notifications gets no answer, and takes effect")
  func notificationBatch() throws {
    let sidecar = try MemorySidecar(folder)
    sidecar.send(
      """
      [{"jsonrpc":"2.0","method":"transition","params":{"id":"a","event":"start"}},\
      {"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","method":"nothing"},\
      {"jsonrpc":"2.0","method":"regenerate","params":{"id":"b"}}]
      """
    )
    sidecar.post("getStatuses", #"{"ids":["a","b"]}"#)
    let statuses = try sidecar.answer(to: 1)["result", "statuses"]?.array
    #expect(statuses?.map { $0["state"]?.string } == ["queued", "queued"])
  }

  @Test("a subscription made inside a batch hears what follows in it, behind the array")
  func subscribeInBatch() throws {
    let sidecar = try MemorySidecar(folder)
    sidecar.send(
      batch([
        request("transition", #"{"id":"a","event":"start"}"#, id: 1),
        request("subscribe", id: 2),
        request("transition", #"{"id":"a","event":"progress"}"#, id: 3),
        request("stats", id: 4), request("ping", id: 5),
        request("subscribe", #"{"afterSeq":0}"#, id: 6),
        request("unsubscribe", #"{"subscription":"s1"}"#, id: 7),
        request("subscribe", id: 8),
        request("transition", #"{"id":"a","event":"cancel"}"#, id: 9),
      ])
    )
    let answers = try #require(try sidecar.receive().array)
    #expect(answers.map(spelled) == ["1", "2", "3", "4", "5", "6", "7", "8", "9"])
    #expect(answers[1]["result", "seq"] == .integer(1))
    #expect(answers[3]["result", "subscriptions"] == .integer(1))
    #expect(answers[7]["result", "seq"] == .integer(2))
    let told = try sidecar.receive(4)
    #expect(told.filter { $0.hasPrefix("s2") } == ["s2 1", "s2 2", "s2 3"])
    #expect(told.filter { $0.hasPrefix("s3") } == ["s3 3"])
    #expect(try sidecar.stop().map(spelled) == ["s2 shutdown", "s3 shutdown"])
  }

  @Test("behind a shutdown in a batch every readable request is turned away, in the same array")
  func shutdownInBatch() throws {
    let sidecar = try MemorySidecar(folder)
    sidecar.send(
      batch([
        request("transition", #"{"id":"a","event":"start"}"#, id: 1), request("shutdown", id: 2),
        request("transition", #"{"id":"a","event":"progress"}"#, id: 3), request("ping", id: 4),
        "7", request("nothing", id: 5), request("shutdown", id: 6),
        #"{"jsonrpc":"2.0","method":"transition","params":{"id":"a","event":"cancel"}}"#,
        request("getStatus", #"{"nonsense":1}"#, id: 7),
      ])
    )
    #expect(
      try sidecar.rest().map(spelled) == [
        "[1, 2, 3 shuttingDown, 4 shuttingDown, null invalidRequest, 5 shuttingDown, "
          + "6 shuttingDown, 7 shuttingDown]"
      ]
    )
    let next = try MemorySidecar(folder)
    #expect(try next.result("getStatus", #"{"id":"a"}"#)["state"]?.string == "queued")
  }

  // MARK: - Notifications to the sidecar

  @Test("transition, regenerate, releaseLease, unsubscribe and shutdown act as notifications")
  func notifications() throws {
    let sidecar = try MemorySidecar(folder)
    try sidecar.result("acquireLease", #"{"name":"n","holder":"h","ttlMs":60000}"#)
    let name = try sidecar.subscribe(#"{"ids":["b"]}"#)
    sidecar.notify("transition", #"{"id":"a","event":"start"}"#)
    sidecar.notify("regenerate", #"{"id":"c"}"#)
    sidecar.notify("releaseLease", #"{"name":"n","holder":"h"}"#)
    sidecar.notify("unsubscribe", #"{"subscription":"\#(name)"}"#)
    sidecar.notify("transition", #"{"id":"b","event":"start"}"#)
    #expect(try sidecar.result("getStatus", #"{"id":"a"}"#)["state"]?.string == "queued")
    #expect(try sidecar.result("getStatus", #"{"id":"c"}"#)["run"] == .integer(1))
    let lease = try sidecar.result("acquireLease", #"{"name":"n","holder":"i","ttlMs":60000}"#)
    #expect(lease["acquired"]?.bool == true)
    sidecar.notify("shutdown")
    #expect(try sidecar.rest().isEmpty)
  }

  @Test("the other methods do nothing as notifications, and a refused one stays silent")
  func silentNotifications() throws {
    let sidecar = try MemorySidecar(folder)
    sidecar.notify("subscribe")
    sidecar.notify("acquireLease", #"{"name":"n","holder":"h","ttlMs":60000}"#)
    for method in ["getStatus", "ping", "stats", "initialize", "rpc.discover", "nothing"] {
      sidecar.notify(method)
    }
    sidecar.notify("transition", #"{"id":"a","event":"complete"}"#)
    sidecar.notify("transition", #"{"id":5}"#)
    sidecar.notify("unsubscribe", #"{"subscription":"s1"}"#)
    sidecar.notify("shutdown", #"{"now":true}"#)
    let stats = try sidecar.result("stats")
    #expect(stats["subscriptions"] == .integer(0))
    #expect(stats["store", "seq"] == .integer(0))
    let lease = try sidecar.result("acquireLease", #"{"name":"n","holder":"i","ttlMs":1000}"#)
    #expect(lease["token"] == .integer(1))
    #expect(try sidecar.stop().isEmpty)
  }

  // MARK: - Methods of the session

  @Test("initialize, ping and rpc.discover answer at once; client is an object")
  func session() throws {
    let sidecar = try MemorySidecar(folder)
    let introduction = try sidecar.result("initialize", #"{"client":{"name":"studio"}}"#)
    #expect(introduction["server"] == (try json(#"{"name":"renderstate","version":"0.0.0"}"#)))
    #expect(introduction["store"] == (try json(#"{"kind":"sqlite"}"#)))
    #expect(try sidecar.error("initialize", #"{"client":"studio"}"#)["code"] == .integer(-32_602))
    #expect(try sidecar.result("ping") == json("{}"))
    let methods = try sidecar.result("rpc.discover")["methods"]?.array
    #expect(methods?.compactMap { $0["name"]?.string } == Catalogue.methods.map { $0.name })
  }

  @Test("stats counts what was asked right before it, in the same write")
  func statsBehindReads() throws {
    let sidecar = try MemorySidecar(folder)
    sidecar.send(
      batch([
        request("getStatus", #"{"id":"a"}"#, id: 1), request("getStatus", "{}", id: 2),
        request("ping", id: 3), request("stats", id: 4),
      ])
    )
    let answers = try #require(try sidecar.receive().array)
    let methods = answers[3]["result", "methods"]
    #expect(methods?["getStatus", "count"] == .integer(2))
    #expect(methods?["getStatus", "errors"] == .integer(1))
    #expect(methods?["ping", "count"] == .integer(1))
  }

  @Test("stats counts calls and errors by method, and what is there")
  func stats() throws {
    let sidecar = try MemorySidecar(folder)
    let empty = try sidecar.result("stats")
    #expect(empty["methods"] == (try json("{}")))
    for id in ["a", "b", "c", "d"] { try sidecar.transition(id, "start") }
    for id in ["b", "c", "d"] { try sidecar.transition(id, "progress") }
    try sidecar.transition("c", "complete")
    try sidecar.transition("d", "fail")
    _ = try sidecar.error("transition", #"{"id":"a","event":"complete"}"#)
    _ = try sidecar.error("transition", #"{"id":"a"}"#)
    _ = try sidecar.error("nothing")
    _ = try sidecar.subscribe()
    _ = try sidecar.subscribe()
    try sidecar.result("unsubscribe", #"{"subscription":"s1"}"#)
    let stats = try sidecar.result("stats")
    #expect(
      stats.keys == [
        "uptimeMs", "store", "renders", "oldestActiveAt", "durations", "subscriptions", "methods",
      ]
    )
    #expect(stats["store", "seq"] == .integer(9))
    #expect(stats["store", "kind"]?.string == "sqlite")
    #expect((stats["store", "bytes"]?.integer ?? 0) > 0)
    #expect(
      stats["renders"] == (try json(#"{"queued":1,"rendering":1,"completed":1,"failed":1}"#))
    )
    #expect(stats["subscriptions"] == .integer(1))
    #expect(stats["methods"]?.keys == ["transition", "subscribe", "unsubscribe", "stats"])
    let transition = try #require(stats["methods", "transition"])
    #expect(transition.keys == ["count", "errors", "p50Us", "p99Us"])
    #expect(transition["count"] == .integer(11))
    #expect(transition["errors"] == .integer(2))
    let (p50, p99) = (transition["p50Us"]?.double ?? 0, transition["p99Us"]?.double ?? 0)
    #expect(p50 > 0)
    #expect(p50 <= p99)
  }
}
