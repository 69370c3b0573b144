import JSON
import RenderModel
import RenderStore
import Support
import Testing

@Suite("Folding")
struct FoldingTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  /// What a subscription was told.
  private struct Told {
    var count = 0
    /// Changes left out, by render.
    var skipped: [String: Int64] = [:]
    var seqs: [Int64] = []

    var skippedInAll: Int64 { skipped.values.reduce(0, +) }
    var isInOrder: Bool { zip(seqs, seqs.dropFirst()).allSatisfy { $0 < $1 } }
  }

  /// Takes all that is told until the end, by subscription.
  private func told(_ sidecar: MemorySidecar) throws -> [String: Told] {
    var told: [String: Told] = [:]
    for message in try sidecar.stop() where message["method"]?.string == "status" {
      let params = try #require(message["params"])
      let name = try #require(params["subscription"]?.string)
      let id = try #require(params["change", "id"]?.string)
      told[name, default: Told()].count += 1
      told[name]?.skipped[id, default: 0] += try #require(params["skipped"]?.integer)
      told[name]?.seqs.append(try #require(params["change", "seq"]?.integer))
    }
    return told
  }

  /// One start and 10,000 progress of a, one start of b in the middle.
  private func makeChanges() throws {
    let store = try RenderStore.inFolder(folder)
    let half = [String](repeating: "a", count: 5_000)
    try store.makeChanges(of: ["a"] + half + ["b"] + half)
    store.close()
  }

  @Test("a replay of more than 10,000 matching changes tells each render's newest")
  func replay() throws {
    try makeChanges()
    let sidecar = try MemorySidecar(folder)
    for params in [
      #"{"afterSeq":0}"#, #"{"afterSeq":0,"ids":["a"]}"#, #"{"afterSeq":0,"ids":["b","a","c"]}"#,
      #"{"afterSeq":0,"states":["queued","rendering"]}"#, #"{"afterSeq":1}"#,
      #"{"afterSeq":0,"ids":["a"],"states":["queued"]}"#,
    ] {
      sidecar.post("subscribe", params)
    }
    let told = try told(sidecar)
    #expect(told["s1"]?.seqs == [5_002, 10_002])
    #expect(told["s1"]?.skipped == ["a": 10_000, "b": 0])
    #expect(told["s2"]?.seqs == [10_002])
    #expect(told["s2"]?.skipped == ["a": 10_000])
    #expect(told["s3"]?.seqs == [5_002, 10_002])
    #expect(told["s3"]?.skipped == ["a": 10_000, "b": 0])
    #expect(told["s4"]?.seqs == [5_002, 10_002])
    #expect(told["s5"]?.seqs == [5_002, 10_002])
    #expect(told["s5"]?.skipped == ["a": 9_999, "b": 0])
    // Of few that match nothing is folded, however many others there are.
    #expect(told["s6"]?.seqs == [1])
  }

  @Test("a replay of exactly 10,000 matching changes is told in full")
  func exactly() throws {
    try makeChanges()
    let sidecar = try MemorySidecar(folder)
    sidecar.post("subscribe", #"{"afterSeq":2}"#)
    sidecar.post("subscribe", #"{"afterSeq":1,"ids":["a"]}"#)
    sidecar.post("subscribe", #"{"afterSeq":0,"states":["rendering"]}"#)
    let told = try told(sidecar)
    for name in ["s1", "s2", "s3"] {
      let told = try #require(told[name])
      #expect(told.count == 10_000)
      #expect(told.skippedInAll == 0)
      #expect(told.isInOrder)
    }
  }

  @Test("what waits for a subscriber that stood at the head is folded likewise")
  func live() throws {
    let sidecar = try MemorySidecar(folder)
    _ = try sidecar.subscribe(#"{"ids":["a"]}"#)
    _ = try sidecar.subscribe(#"{"ids":["b"]}"#)
    _ = try sidecar.subscribe(#"{"states":["rendering"]}"#)
    try makeChanges()
    try sidecar.transition("b", "cancel")
    let told = try told(sidecar)
    #expect(told["s1"]?.seqs == [10_002])
    #expect(told["s1"]?.skipped == ["a": 10_000])
    #expect(told["s2"]?.seqs == [5_002, 10_003])
    #expect(told["s3"]?.count == 10_000)
    #expect(told["s3"]?.skippedInAll == 0)
  }

  @Test("a host that does not read finds what waited folded, and nothing lost")
  func slowHost() throws {
    let watcher = try MemorySidecar(folder)
    _ = try watcher.subscribe()
    let writer = try MemorySidecar(folder)
    let store = try RenderStore.inFolder(folder)
    // More than the sidecar writes ahead of its host.
    try store.makeChanges(of: (0..<4_000).map { "v\($0 % 40)" })
    for _ in 0..<3 { try writer.result("ping") }
    try store.makeChanges(of: (0..<12_000).map { "v\($0 % 40)" })
    for index in 0..<40 { try writer.transition("v\(index)", "complete") }
    // Whatever the watcher is asked is answered all the same.
    #expect(try watcher.result("stats")["store", "seq"] == .integer(16_040))
    let told = try #require(try told(watcher)["s1"])
    #expect(told.isInOrder)
    #expect(told.seqs.last == 16_040)
    #expect(Int64(told.count) + told.skippedInAll == 16_040)
    #expect(told.skippedInAll > 0)
    #expect(told.skipped.count == 40)
    store.close()
  }

  @Test("a host that reads hears every change, however many there are")
  func readingHost() throws {
    let watcher = try MemorySidecar(folder)
    _ = try watcher.subscribe()
    let store = try RenderStore.inFolder(folder)
    var heard: [Int64] = []
    for _ in 0..<24 {
      try store.makeChanges(of: (0..<500).map { "v\($0 % 10)" })
      for _ in 0..<500 {
        let params = try watcher.notification()
        #expect(params["skipped"] == .integer(0))
        heard.append(try #require(params["change", "seq"]?.integer))
      }
    }
    #expect(heard == Array(1...12_000))
    store.close()
  }

  @Test("a host that reads hears every change of its own, however fast it asks for more")
  func pipeliningHost() throws {
    let sidecar = try MemorySidecar(folder)
    let names = try (0..<4).map { _ in try sidecar.subscribe() }
    let count = 16_000
    sidecar.sendInBackground(
      (1...count).map {
        let event = $0 <= 10 ? "start" : "progress"
        return request("transition", #"{"id":"v\#($0 % 10)","event":"\#(event)"}"#, id: $0 + 10)
      }
    )
    var told: [String: Int] = [:]
    var answers = 0
    while answers < count || told.values.contains(where: { $0 < count }) || told.count < 4 {
      let line = try #require(try sidecar.receiveLine())
      guard line.hasPrefix(#"{"jsonrpc":"2.0","method":"status""#) else {
        answers += 1
        continue
      }
      #expect(line.hasSuffix(#""skipped":0}}"#))
      guard line.hasSuffix(#""skipped":0}}"#) else { break }
      for name in names where line.contains("\"\(name)\"") { told[name, default: 0] += 1 }
    }
    #expect(answers == count)
    #expect(names.allSatisfy { told[$0] == count })
  }

  @Test("a host that asks faster than it reads hears every change of its own, too")
  func slowlyReadingHost() throws {
    let sidecar = try MemorySidecar(folder)
    _ = try sidecar.subscribe()
    let count = 12_500
    sidecar.sendInBackground(
      (1...count).map {
        let event = $0 == 1 ? "start" : "progress"
        return request("transition", #"{"id":"a","event":"\#(event)"}"#, id: $0 + 10)
      }
    )
    var heard: Int64 = 0
    while heard < count {
      // Reading a line as JSON takes longer than answering a request.
      let message = try sidecar.receive()
      guard let params = message["params"] else { continue }
      heard += 1
      try #require(params["change", "seq"] == .integer(heard))
    }
  }

  @Test("renders that end in what is folded end the subscription behind it")
  func untilTerminal() throws {
    let sidecar = try MemorySidecar(folder)
    _ = try sidecar.subscribe(#"{"ids":["a"],"untilTerminal":true}"#)
    let store = try RenderStore.inFolder(folder)
    try store.write { transaction throws(StoreError) in
      for _ in 0..<5_001 {
        for action in ["start", "progress", "fail"] {
          guard let action = Command.Action(name: action) else { continue }
          _ = try transaction.apply(
            Command(id: "a", action: action),
            at: Timestamp(milliseconds: 0)
          )
        }
      }
    }
    store.close()
    // The first point at which all have ended is the third change; nothing behind it is told.
    #expect(try sidecar.stop().map(spelled) == ["s1 1", "s1 2", "s1 3", "s1 terminal"])
  }

  @Test("a fold of many renders comes in the order of the log, whole")
  func manyRenders() throws {
    let store = try RenderStore.inFolder(folder)
    try store.makeChanges(of: (0..<10_500).map { "v\($0 % 5_000)" })
    store.close()
    let sidecar = try MemorySidecar(folder)
    sidecar.post("subscribe", #"{"afterSeq":0}"#)
    let told = try #require(try told(sidecar)["s1"])
    #expect(told.count == 5_000)
    #expect(told.isInOrder)
    #expect(Int64(told.count) + told.skippedInAll == 10_500)
    #expect(told.seqs == Array(5_501...10_500))
  }
}
