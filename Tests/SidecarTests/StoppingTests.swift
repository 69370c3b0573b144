import JSON
import RenderModel
import RenderStore
import Support
import Testing

@Suite("Stopping")
struct StoppingTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("at the end of the input what was read is answered, and a line without end counts")
  func endOfInput() throws {
    let sidecar = try MemorySidecar(folder)
    for index in 0..<50 {
      sidecar.post("transition", #"{"id":"v\#(index)","event":"start"}"#)
    }
    sidecar.send(Array(request("ping", id: 51).utf8))
    #expect(try sidecar.stop().map(spelled) == (1...51).map(String.init))
  }

  @Test("an input that ends at once ends the sidecar without a word")
  func silence() throws {
    #expect(try MemorySidecar(folder).stop().isEmpty)
  }

  @Test("what is owed to subscriptions is told before they end")
  func notificationsOwed() throws {
    let sidecar = try MemorySidecar(folder)
    _ = try sidecar.subscribe()
    _ = try sidecar.subscribe(#"{"ids":["v1"],"untilTerminal":true}"#)
    for index in 0..<3 {
      sidecar.post("transition", #"{"id":"v\#(index)","event":"start"}"#)
    }
    sidecar.endInput()
    let rest = try sidecar.rest().map(spelled)
    #expect(rest.filter { $0.hasPrefix("s1") } == ["s1 1", "s1 2", "s1 3", "s1 shutdown"])
    #expect(rest.filter { $0.hasPrefix("s2") } == ["s2 2", "s2 shutdown"])
    #expect(rest.suffix(2) == ["s1 shutdown", "s2 shutdown"])
  }

  @Test("requests behind a shutdown are turned away, in their places, and change nothing")
  func behindShutdown() throws {
    let sidecar = try MemorySidecar(folder)
    let other = try RenderStore.inFolder(folder)
    // The first one waits until all of them are there.
    try other.locked {
      sidecar.post("transition", #"{"id":"a","event":"start"}"#)
      sidecar.post("shutdown")
      sidecar.post("transition", #"{"id":"a","event":"progress"}"#)
      sidecar.send("nonsense")
      sidecar.notify("transition", #"{"id":"a","event":"cancel"}"#)
      sidecar.post("subscribe")
      sidecar.post("nothing")
    }
    #expect(
      try sidecar.rest().map(spelled) == [
        "1", "2", "3 shuttingDown", "null parseError", "4 shuttingDown", "5 shuttingDown",
      ]
    )
    #expect(try other.render("a").state == .queued)
    other.close()
  }

  @Test("a shutdown with params it does not know stops nothing")
  func badShutdown() throws {
    let sidecar = try MemorySidecar(folder)
    #expect(kind(try sidecar.error("shutdown", #"{"now":true}"#)) == "invalidParams")
    #expect(try sidecar.result("ping") == json("{}"))
    #expect(try sidecar.result("shutdown") == json("{}"))
    #expect(try sidecar.rest().isEmpty)
  }

  @Test("a host that vanishes ends the sidecar, and what is committed stays")
  func hangUp() throws {
    let sidecar = try MemorySidecar(folder)
    try sidecar.transition("a", "start")
    for index in 0..<100 {
      sidecar.post("transition", #"{"id":"v\#(index)","event":"start"}"#)
    }
    try sidecar.crash()
    let next = try MemorySidecar(folder)
    #expect(try next.result("getStatus", #"{"id":"a"}"#)["version"] == .integer(1))
    // Each of the others was done as a whole or not at all.
    let head = try #require(try next.result("stats")["store", "seq"]?.integer)
    let list = try next.result("listStatuses", #"{"limit":1000}"#)["statuses"]?.array
    #expect(list?.count == Int(head))
  }

  @Test("a host that takes nothing while the sidecar stops is left, and costs no processor time")
  func stalledHost() throws {
    let store = try RenderStore.inFolder(folder)
    try store.makeChanges(of: (0..<3_000).map { "v\($0)" })
    store.close()
    let sidecar = try MemorySidecar(folder)
    sidecar.post("subscribe", #"{"afterSeq":0}"#)
    sidecar.endInput()
    let used = try sidecar.join()
    #expect(used < .seconds(2))
  }

  @Test("a host that reads at last, while the sidecar stops, gets all that is owed")
  func slowHost() throws {
    let store = try RenderStore.inFolder(folder)
    try store.makeChanges(of: (0..<3_000).map { "v\($0)" })
    store.close()
    let sidecar = try MemorySidecar(folder)
    sidecar.post("subscribe", #"{"afterSeq":0}"#)
    let rest = try sidecar.stop().map(spelled)
    #expect(rest == ["1"] + (1...3_000).map { "s1 \($0)" } + ["s1 shutdown"])
  }
}
