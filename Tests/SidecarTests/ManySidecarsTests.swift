import JSON
import Support
import Testing

@Suite("Several sidecars on one store")
struct ManySidecarsTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("changes of all of them reach every subscriber, in the order of the log, without gaps")
  func order() throws {
    let sidecars = try (0..<3).map { _ in try MemorySidecar(folder) }
    for sidecar in sidecars { _ = try sidecar.subscribe() }
    for index in 0..<100 {
      for (number, sidecar) in sidecars.enumerated() {
        sidecar.post("transition", #"{"id":"v\#(number)-\#(index)","event":"start"}"#)
      }
    }
    for sidecar in sidecars {
      var heard: [Int64] = []
      var answered = 0
      while heard.count + answered < 400 {
        let message = try sidecar.receive()
        if let seq = message["params", "change", "seq"]?.integer {
          heard.append(seq)
        } else {
          #expect(message["result", "version"] == .integer(1))
          answered += 1
        }
      }
      #expect(heard == Array(1...300))
    }
  }

  @Test("an answer comes before the notification of its change, whoever else writes")
  func ownAnswerFirst() throws {
    let sidecars = try (0..<2).map { _ in try MemorySidecar(folder) }
    for sidecar in sidecars { _ = try sidecar.subscribe() }
    for index in 0..<100 {
      for (number, sidecar) in sidecars.enumerated() {
        sidecar.post("transition", #"{"id":"v\#(number)-\#(index)","event":"start"}"#)
      }
    }
    for sidecar in sidecars {
      var answered: Set<Int64> = []
      var own: Set<Int64> = []
      for _ in 0..<300 {
        let message = try sidecar.receive()
        if let seq = message["result", "seq"]?.integer {
          answered.insert(seq)
          // Its notification has not come yet.
          #expect(!own.contains(seq))
        } else if let seq = message["params", "change", "seq"]?.integer {
          own.insert(seq)
        }
      }
      #expect(answered.count == 100)
      #expect(own.count == 200)
    }
  }

  @Test("of two that claim one render exactly one wins")
  func race() throws {
    let sidecars = try (0..<2).map { _ in try MemorySidecar(folder) }
    for index in 0..<50 {
      for sidecar in sidecars {
        sidecar.post("transition", #"{"id":"v\#(index)","event":"start","expectedVersion":0}"#)
      }
    }
    var winners = [Int](repeating: 0, count: 50)
    for sidecar in sidecars {
      for index in 0..<50 {
        let answer = try sidecar.answer(to: Int64(index + 1))
        if answer["result"] != nil {
          winners[index] += 1
        } else {
          #expect(spelled(answer) == "\(index + 1) conflict")
          #expect(answer["error", "data", "status", "version"] == .integer(1))
        }
      }
    }
    #expect(winners == [Int](repeating: 1, count: 50))
  }

  @Test("a key used with one sidecar is known to the others, and after a crash")
  func idempotency() throws {
    let first = try MemorySidecar(folder)
    let params = #"{"id":"a","event":"start","idempotencyKey":"k"}"#
    let seq = try first.result("transition", params)["seq"]
    let second = try MemorySidecar(folder)
    let replay = try second.result("transition", params)
    #expect(replay["replayed"]?.bool == true)
    #expect(replay["seq"] == seq)
    try first.crash()
    try second.crash()
    let third = try MemorySidecar(folder)
    #expect(try third.result("transition", params)["replayed"]?.bool == true)
    #expect(try third.result("stats")["store", "seq"] == .integer(1))
  }

  @Test("a subscription that is to end hears of the end from elsewhere")
  func untilTerminal() throws {
    let watcher = try MemorySidecar(folder)
    let writer = try MemorySidecar(folder)
    _ = try watcher.subscribe(#"{"ids":["a","b"],"untilTerminal":true}"#)
    for id in ["a", "b"] {
      try writer.transition(id, "start")
      try writer.transition(id, "cancel")
    }
    #expect(try watcher.receive(5) == ["s1 1", "s1 2", "s1 3", "s1 4", "s1 terminal"])
  }

  @Test("a snapshot and what follows it fit together while others write")
  func subscribeWhileWriting() throws {
    let watcher = try MemorySidecar(folder)
    let writer = try MemorySidecar(folder)
    try writer.transition("a", "start")
    for _ in 0..<300 { writer.post("transition", #"{"id":"a","event":"progress"}"#) }
    var starts: [String: Int64] = [:]
    for _ in 0..<20 {
      let answer = try watcher.result("subscribe", #"{"ids":["a"]}"#)
      let seq = try #require(answer["seq"]?.integer)
      #expect(answer["statuses"]?.array?.first?["version"] == .integer(seq))
      starts[try #require(answer["subscription"]?.string)] = seq
    }
    for id in 2...301 { _ = try writer.answer(to: Int64(id)) }
    var heard: [String: [Int64]] = [:]
    for message in try watcher.stop() where message["method"]?.string == "status" {
      let params = try #require(message["params"])
      let seq = try #require(params["change", "seq"]?.integer)
      heard[params["subscription"]?.string ?? "", default: []].append(seq)
    }
    for (name, seq) in starts {
      #expect(heard[name] ?? [] == Array((seq + 1)..<302))
    }
  }
}
