import JSON
import RenderStore
import Support
import Testing

@Suite("Subscriptions")
struct SubscriptionTests {
  private let folder: TemporaryFolder
  private let sidecar: MemorySidecar

  init() throws {
    folder = try TemporaryFolder()
    sidecar = try MemorySidecar(folder)
  }

  /// Sends events like `a start`, and waits for their answers.
  private func change(_ events: String...) throws {
    for event in events {
      let words = event.split(separator: " ").map(String.init)
      if words[1] == "regenerate" {
        try sidecar.result("regenerate", #"{"id":"\#(words[0])"}"#)
      } else {
        try sidecar.transition(words[0], words[1])
      }
    }
  }

  /// Ends the sidecar; what a subscription was told since the last answer.
  private func told(_ name: String) throws -> [String] {
    try sidecar.stop().map(spelled).filter { $0.hasPrefix(name + " ") }
      .map { String($0.dropFirst(name.count + 1)) }
  }

  // MARK: - What is told

  @Test("a change is told after the answer to its request, with the values right after it")
  func afterAnswer() throws {
    sidecar.post("subscribe")
    let context = #"{"renderId":"r1","metadata":{"k":[1]}}"#
    sidecar.post("transition", #"{"id":"a","event":"start","context":\#(context),"actor":"web"}"#)
    #expect(try sidecar.receive(2) == ["1", "2"])
    let params = try sidecar.notification()
    #expect(params.keys == ["subscription", "change", "skipped"])
    #expect(params["skipped"] == .integer(0))
    let history = try sidecar.result("getHistory", #"{"id":"a"}"#)["changes"]?.array
    #expect(params["change"] == history?.first)
    #expect(params["change", "metadata"] == (try json(#"{"k":[1]}"#)))
    #expect(params["change", "actor"]?.string == "web")
  }

  @Test("filters on ids and on states hold together")
  func filters() throws {
    for params in [
      "{}", #"{"ids":["a"]}"#, #"{"states":["completed","failed"]}"#,
      #"{"ids":["a","b"],"states":["rendering"]}"#, #"{"ids":["nobody"]}"#, #"{"states":["idle"]}"#,
    ] {
      _ = try sidecar.subscribe(params)
    }
    try change("a start", "b start", "a progress", "b progress", "b fail", "a complete")
    let rest = try sidecar.stop().map(spelled)
    func told(_ name: String) -> [String] { rest.filter { $0.hasPrefix(name) } }
    #expect(told("s1") == (1...6).map { "s1 \($0)" } + ["s1 shutdown"])
    #expect(told("s2") == ["s2 1", "s2 3", "s2 6", "s2 shutdown"])
    #expect(told("s3") == ["s3 5", "s3 6", "s3 shutdown"])
    #expect(told("s4") == ["s4 3", "s4 4", "s4 shutdown"])
    #expect(told("s5") == ["s5 shutdown"])
    #expect(told("s6") == ["s6 shutdown"])
  }

  @Test("the answer has the head of the log and the ids as they are there")
  func snapshot() throws {
    try change("a start", "b start", "a progress")
    let answer = try sidecar.result("subscribe", #"{"ids":["c","a","a"],"states":["failed"]}"#)
    #expect(answer.keys == ["subscription", "seq", "statuses", "gap"])
    #expect(answer["seq"] == .integer(3))
    #expect(answer["gap"]?.bool == false)
    let statuses = try sidecar.result("getStatuses", #"{"ids":["c","a","a"]}"#)["statuses"]
    #expect(answer["statuses"] == statuses)
    #expect(try sidecar.result("subscribe")["statuses"] == .array([]))
  }

  @Test("ids compare by their bytes, and one given twice is told once")
  func ids() throws {
    let name = try sidecar.subscribe(#"{"ids":["\u00e9","\u00e9"]}"#)
    try change("e\u{301} start", "\u{E9} start")
    #expect(try told(name) == ["2", "shutdown"])
  }

  @Test("what happened before is not told")
  func notBefore() throws {
    try change("a start", "a progress")
    let name = try sidecar.subscribe(#"{"ids":["a"]}"#)
    try change("a progress")
    #expect(try told(name) == ["3", "shutdown"])
  }

  @Test("a thousand subscriptions each hear every change once, in order")
  func thousand() throws {
    let posts = (1...1_000).map { request("subscribe", id: $0) }
    sidecar.send("[\(posts.joined(separator: ","))]")
    #expect(try sidecar.receive().array?.count == 1_000)
    let store = try RenderStore.inFolder(folder)
    try store.makeChanges(of: ["a", "a", "b", "a", "c"])
    store.close()
    var heard: [String: [Int64]] = [:]
    for _ in 0..<5_000 {
      let params = try sidecar.notification()
      let name = try #require(params["subscription"]?.string)
      heard[name, default: []].append(try #require(params["change", "seq"]?.integer))
    }
    #expect(heard.count == 1_000)
    #expect(heard.values.allSatisfy { $0 == [1, 2, 3, 4, 5] })
    #expect(try sidecar.stop().count == 1_000)
  }

  // MARK: - Replay

  @Test("a replay comes after the answer, in order, and goes over into what happens then")
  func replay() throws {
    try change("a start", "b start", "a progress", "b cancel")
    sidecar.post("subscribe", #"{"afterSeq":1}"#)
    sidecar.post("subscribe", #"{"afterSeq":0,"ids":["a"]}"#)
    sidecar.post("subscribe", #"{"afterSeq":0,"states":["failed"]}"#)
    sidecar.post("subscribe", #"{"afterSeq":4}"#)
    sidecar.post("transition", #"{"id":"a","event":"fail"}"#)
    let rest = try sidecar.stop().map(spelled)
    func told(_ name: String) -> [String] { rest.filter { $0.hasPrefix(name) } }
    #expect(told("s1") == ["s1 2", "s1 3", "s1 4", "s1 5", "s1 shutdown"])
    #expect(told("s2") == ["s2 1", "s2 3", "s2 5", "s2 shutdown"])
    #expect(told("s3") == ["s3 4", "s3 5", "s3 shutdown"])
    #expect(told("s4") == ["s4 5", "s4 shutdown"])
  }

  @Test("a replay of many pages is whole, with answers to others in between")
  func longReplay() throws {
    let store = try RenderStore.inFolder(folder)
    try store.makeChanges(of: (0..<3_000).map { "v\($0 % 7)" })
    store.close()
    sidecar.post("subscribe", #"{"afterSeq":0}"#)
    sidecar.post("subscribe", #"{"afterSeq":10,"ids":["v3"]}"#)
    for _ in 0..<20 { sidecar.post("ping") }
    sidecar.post("transition", #"{"id":"v3","event":"complete"}"#)
    let rest = try sidecar.stop().map(spelled)
    #expect(rest.filter { !$0.hasPrefix("s") } == (1...23).map(String.init))
    #expect(
      rest.filter { $0.hasPrefix("s1") } == (1...3_001).map { "s1 \($0)" } + ["s1 shutdown"]
    )
    let third = (11...3_000).filter { ($0 - 1) % 7 == 3 } + [3_001]
    #expect(rest.filter { $0.hasPrefix("s2") } == third.map { "s2 \($0)" } + ["s2 shutdown"])
  }

  @Test("a seq beyond the head is a gap: nothing is replayed, and what follows is told")
  func gap() throws {
    try change("a start")
    let answer = try sidecar.result("subscribe", #"{"ids":["a"],"afterSeq":2}"#)
    #expect(answer["gap"]?.bool == true)
    #expect(answer["seq"] == .integer(1))
    #expect(answer["statuses"]?.array?.count == 1)
    #expect(try sidecar.result("subscribe", #"{"afterSeq":1}"#)["gap"]?.bool == false)
    // What follows is told although its number is not above the one named.
    try change("a progress", "a progress")
    #expect(try told("s1") == ["2", "3", "shutdown"])
  }

  @Test("a host that comes back misses nothing and hears nothing twice")
  func resume() throws {
    let name = try sidecar.subscribe()
    try change("a start", "a progress", "b start")
    let heard = try told(name).dropLast()
    let last = try #require(heard.last)
    let second = try MemorySidecar(folder)
    try second.transition("b", "cancel")
    _ = try second.subscribe(#"{"afterSeq":\#(last)}"#)
    try second.transition("a", "complete")
    let rest = try second.stop().map(spelled)
    #expect(heard + rest.map { String($0.dropFirst(3)) } == ["1", "2", "3", "4", "5", "shutdown"])
  }

  // MARK: - Until terminal

  @Test("renders that have ended already end the subscription right after its answer")
  func alreadyTerminal() throws {
    try change("a start", "a cancel", "b start", "b progress", "b complete")
    sidecar.post("subscribe", #"{"ids":["a","b","a"],"untilTerminal":true}"#)
    sidecar.post("ping")
    let lines = try sidecar.receive(3)
    #expect(lines.filter { $0.hasPrefix("s") } == ["s1 terminal"])
    #expect(lines.first != "s1 terminal")
    try change("a start")
    #expect(try told("s1") == [])
  }

  @Test("an idle render has not ended")
  func idle() throws {
    _ = try sidecar.subscribe(#"{"ids":["a"],"untilTerminal":true}"#)
    try change("a start", "a cancel", "a start")
    #expect(try told("s1") == ["1", "2", "terminal"])
  }

  @Test("the end comes right behind the change that brings it, and nothing after")
  func ending() throws {
    _ = try sidecar.subscribe(#"{"ids":["a","b","b"],"untilTerminal":true}"#)
    let whole = [
      "a start", "b start", "b fail", "a progress", "a complete", "b start", "b cancel",
    ]
    for event in whole { try change(event) }
    #expect(try told("s1") == ["1", "2", "3", "4", "5", "terminal"])
  }

  @Test("all have to be in a terminal state at the same point of the log")
  func samePoint() throws {
    _ = try sidecar.subscribe(#"{"ids":["a","b"],"untilTerminal":true}"#)
    try change(
      "a start",
      "b start",
      "a fail",
      "a start",
      "b progress",
      "b complete",
      "b regenerate"
    )
    try change("a cancel", "a regenerate", "b fail", "c start", "a fail", "a start")
    #expect(
      try told("s1") == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "terminal"]
    )
  }

  @Test("several renders that end in one commit end it at the first point where all have")
  func oneCommit() throws {
    let names = ["a", "b"]
    _ = try sidecar.subscribe(#"{"ids":["a","b"],"untilTerminal":true}"#)
    let events = names.map { ($0, "start") } + names.map { ($0, "cancel") } + [("a", "start")]
    let lines = events.enumerated().map { index, event in
      request("transition", #"{"id":"\#(event.0)","event":"\#(event.1)"}"#, id: 100 + index)
    }
    sidecar.send("[\(lines.joined(separator: ","))]")
    #expect(try sidecar.receive().array?.count == 5)
    #expect(try told("s1") == ["1", "2", "3", "4", "terminal"])
  }

  @Test("a filter on states may hide the change that brings the end")
  func hiddenEnd() throws {
    _ = try sidecar.subscribe(#"{"ids":["a"],"states":["rendering"],"untilTerminal":true}"#)
    try change("a start", "a progress", "a progress", "a complete")
    #expect(try told("s1") == ["2", "3", "terminal"])
  }

  @Test("a terminal state in the replay does not end it: judged is what is at the head or later")
  func terminalInReplay() throws {
    try change("a start", "a cancel", "a start")
    _ = try sidecar.subscribe(#"{"ids":["a"],"afterSeq":0,"untilTerminal":true}"#)
    try change("a progress", "a fail", "a start")
    #expect(try told("s1") == ["1", "2", "3", "4", "5", "terminal"])
  }

  @Test("what has ended at the head ends behind the replay")
  func replayThenEnd() throws {
    try change("a start", "a cancel", "b start")
    sidecar.post("subscribe", #"{"ids":["a"],"afterSeq":0,"untilTerminal":true}"#)
    sidecar.post("transition", #"{"id":"a","event":"start"}"#)
    #expect(try told("s1") == ["1", "2", "terminal"])
  }

  @Test("with a gap the subscription ends at once where all have ended")
  func gapAndEnd() throws {
    try change("a start", "a cancel")
    sidecar.post("subscribe", #"{"ids":["a"],"afterSeq":99,"untilTerminal":true}"#)
    #expect(try sidecar.stop().map(spelled) == ["3", "s1 terminal"])
  }

  // MARK: - Unsubscribing and names

  @Test("nothing is told behind the answer to an unsubscribe")
  func unsubscribe() throws {
    sidecar.post("subscribe")
    sidecar.post("transition", #"{"id":"a","event":"start"}"#)
    sidecar.post("unsubscribe", #"{"subscription":"s1"}"#)
    sidecar.post("transition", #"{"id":"a","event":"progress"}"#)
    let rest = try sidecar.stop().map(spelled)
    #expect(rest.filter { !$0.hasPrefix("s") } == ["1", "2", "3", "4"])
    let last = try #require(rest.firstIndex(of: "3"))
    #expect(!rest[last...].contains { $0.hasPrefix("s") })
  }

  @Test("a replay ends with the unsubscribe")
  func unsubscribeReplay() throws {
    try change("a start")
    sidecar.post("subscribe", #"{"afterSeq":0}"#)
    sidecar.post("unsubscribe", #"{"subscription":"s1"}"#)
    sidecar.post("subscribe", #"{"afterSeq":0}"#)
    let rest = try sidecar.stop().map(spelled)
    #expect(rest.suffix(2) == ["s2 1", "s2 shutdown"])
    let answer = try #require(rest.firstIndex(of: "3"))
    #expect(!rest[answer...].contains("s1 1"))
  }

  @Test("a subscription that has ended or was unsubscribed can be unsubscribed again")
  func again() throws {
    try change("a start", "a cancel")
    _ = try sidecar.subscribe()
    _ = try sidecar.subscribe(#"{"ids":["a"],"untilTerminal":true}"#)
    #expect(try sidecar.notification("subscriptionEnded")["subscription"]?.string == "s2")
    for name in ["s1", "s1", "s2", "s2"] {
      let answer = try sidecar.result("unsubscribe", #"{"subscription":"\#(name)"}"#)
      #expect(answer == (try json(#"{"unsubscribed":true}"#)))
    }
  }

  @Test(
    "a name that was never given is unknown",
    arguments: [
      "s2", "s0", "s01", "s-1", "s+1", "s1 ", " s1", "S1", "1", "s", "", "x1", "s1\u{0}",
      "s9999999999999999999999", "s9223372036854775807", "ſ1", "s\u{661}",
    ]
  )
  func neverGiven(_ name: String) throws {
    _ = try sidecar.subscribe()
    let error = try sidecar.error("unsubscribe", #"{"subscription":\#(quoted(name))}"#)
    #expect(error["code"] == .integer(-32_006))
    #expect(error["data"] == (try json(#"{"kind":"unknownSubscription"}"#)))
  }

  @Test("before any subscription no name is known")
  func noneGiven() throws {
    let error = try sidecar.error("unsubscribe", #"{"subscription":"s1"}"#)
    #expect(kind(error) == "unknownSubscription")
  }

  @Test("names are not used again")
  func names() throws {
    for number in 1...5 {
      #expect(try sidecar.subscribe() == "s\(number)")
      try sidecar.result("unsubscribe", #"{"subscription":"s\#(number)"}"#)
    }
    _ = try sidecar.error("subscribe", #"{"ids":[]}"#)
    #expect(try sidecar.subscribe() == "s6")
  }

  @Test("a connection may have 16,384 subscriptions; ended ones do not count")
  func limit() throws {
    try change("a start", "a cancel")
    // One that has ended already.
    _ = try sidecar.subscribe(#"{"ids":["a"],"untilTerminal":true}"#)
    _ = try sidecar.notification("subscriptionEnded")
    let posts = (1...512).map { request("subscribe", #"{"states":["idle"]}"#, id: $0) }
    for _ in 0..<32 {
      sidecar.send("[\(posts.joined(separator: ","))]")
      let answers = try #require(try sidecar.receive().array)
      #expect(answers.allSatisfy { $0["result"] != nil })
    }
    #expect(try sidecar.result("stats")["subscriptions"] == .integer(16_384))
    let error = try sidecar.error("subscribe")
    #expect(error["code"] == .integer(-32_602))
    #expect(error["data", "path"]?.string == "params")
    try sidecar.result("unsubscribe", #"{"subscription":"s2"}"#)
    #expect(try sidecar.subscribe() == "s16386")
    #expect(kind(try sidecar.error("subscribe")) == "invalidParams")
    #expect(try sidecar.stop().count == 16_384)
  }
}
