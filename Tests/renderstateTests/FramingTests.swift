import Support
import Testing

@Suite("Framing over the pipe")
struct FramingTests {
  private let folder: TemporaryFolder
  private let sidecar: SidecarProcess

  init() throws {
    folder = try TemporaryFolder()
    sidecar = try SidecarProcess(serving: folder.database)
  }

  private static let noJSONLines: [[UInt8]] = {
    let ping = SidecarProcess.message(id: 1, "ping")
    let texts = [
      #"{"jsonrpc":"2.0","id":1,"method":"ping""#,
      "hello",
      "\0",
      ping.replacing("ping", with: "pi\0ng"),
      "\u{FEFF}" + ping,
      #"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#,
      String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000),
      String(repeating: "[", count: 10_000),
      String(repeating: #"{"a":"#, count: 10_000),
      ping + " x",
    ]
    let noUTF8: [[UInt8]] = [[0xC3], [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22]]
    return texts.map { Array($0.utf8) } + noUTF8
  }()

  private func expectTheConnectionGoesOn() throws {
    let answer = try sidecar.call("ping")
    #expect(answer.text.hasSuffix(#""result":{}}"#))
  }

  @Test("no handshake is needed: the first line may be a change")
  func noHandshake() throws {
    let answer = try sidecar.transition("a", "start")
    #expect(answer.string("result", "status", "state") == "queued")
  }

  @Test("a line may come in any number of pieces, cut within a character too")
  func pieces() throws {
    let line = SidecarProcess.message(id: 7, "getStatus", #"{"id":"vidéo-é"}"#) + "\n"
    for byte in line.utf8 { try sidecar.send(bytes: [byte]) }
    let answer = try sidecar.receive()
    #expect(answer.integer("id") == 7)
    #expect(answer.string("result", "id") == "vidéo-é")
  }

  @Test("one piece may hold many lines and the beginning of the next")
  func manyLinesAtOnce() throws {
    let lines = (1...100).map { SidecarProcess.message(id: $0, "ping") }.joined(separator: "\n")
    try sidecar.send(bytes: Array(lines.utf8))
    let answers = try (1...99).map { _ in try sidecar.receive().integer("id") }
    #expect(answers == (1...99).map { $0 })
    try sidecar.send("")
    #expect(try sidecar.receive().integer("id") == 100)
  }

  @Test("a line may end in \\r\\n, and lines of white space are ignored")
  func lineEnds() throws {
    try sidecar.send(bytes: Array("\n \t\r\n\r\n\r\r\n".utf8))
    try sidecar.send(SidecarProcess.message(id: 1, "ping") + "\r")
    try sidecar.send("   ")
    #expect(try sidecar.receive().integer("id") == 1)
    try expectTheConnectionGoesOn()
  }

  @Test("the last line counts without an end, and answers are owed for it")
  func unterminatedLastLine() throws {
    try sidecar.send(SidecarProcess.message(id: 1, "ping"))
    try sidecar.send(bytes: Array(SidecarProcess.message(id: 2, "ping").utf8))
    #expect(try sidecar.stop() == .code(0))
    #expect(try sidecar.receiveRest().map { $0.integer("id") } == [1, 2])
  }

  @Test("half a message before the end is a parse error, and the end is still a good one")
  func halfAMessage() throws {
    try sidecar.send(bytes: Array(#"{"jsonrpc":"2.0","id":1,"#.utf8))
    #expect(try sidecar.stop() == .code(0))
    let answers = try sidecar.receiveRest()
    #expect(answers.map(\.errorKind) == ["parseError"])
    #expect(answers.first?.hasNullID == true)
  }

  @Test(
    "a line that is no JSON in UTF-8 is a parse error with id null, and the connection goes on",
    arguments: Self.noJSONLines
  )
  func noJSON(line: [UInt8]) throws {
    try sidecar.send(bytes: line + Array("\n".utf8))
    let answer = try sidecar.receive()
    #expect(answer.errorCode == -32_700)
    #expect(answer.errorKind == "parseError")
    #expect(answer.hasNullID)
    try expectTheConnectionGoesOn()
  }

  @Test("errors keep their place among the answers")
  func errorsKeepTheirPlace() throws {
    try sidecar.send(SidecarProcess.message(id: 1, "ping"))
    try sidecar.send("nonsense")
    try sidecar.send(SidecarProcess.message(id: 2, "transition", #"{"id":"a","event":"start"}"#))
    try sidecar.send("[]")
    try sidecar.send(SidecarProcess.message(id: 3, "ping"))
    let answers = try (1...5).map { _ in try sidecar.receive() }
    #expect(answers.map { $0.integer("id") } == [1, nil, 2, nil, 3])
    #expect(answers.map(\.errorCode) == [nil, -32_700, nil, -32_600, nil])
  }

  @Test("a batch of more than 1,000 is one error, and nothing of it is done")
  func hugeBatch() throws {
    let start = SidecarProcess.message(id: nil, "transition", #"{"id":"a","event":"start"}"#)
    for count in [1_001, 10_000] {
      try sidecar.send("[" + Array(repeating: start, count: count).joined(separator: ",") + "]")
      let answer = try sidecar.receive()
      #expect(answer.errorCode == -32_600)
      #expect(answer.hasNullID)
    }
    let status = try sidecar.call("getStatus", #"{"id":"a"}"#)
    #expect(status.string("result", "state") == "idle")
  }

  @Test("a batch of 1,000 gets one array of 1,000 answers in order")
  func largestBatch() throws {
    let pings = (1...1_000).map { SidecarProcess.message(id: $0, "ping") }
    try sidecar.send("[" + pings.joined(separator: ",") + "]")
    let answers = try sidecar.receive().elements().map { $0.integer("id") }
    #expect(answers == (1...1_000).map { $0 })
  }

  @Test("a message shaped like a response is ignored, with a line on stderr")
  func response() throws {
    try sidecar.send(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
    try expectTheConnectionGoesOn()
    try sidecar.awaitError(containing: "response")
  }

  @Test(
    "a line of nearly 1 MiB of odd JSON is read or refused, and the connection goes on",
    arguments: [
      (#"["#, #"1,"#, #"1]"#),
      (#"{"jsonrpc":"2.0","id":1,"method":"ping","x":["#, #"{},"#, #"{}]}"#),
      (#"{"jsonrpc":"2.0","id":1,"method":"ping","x":""#, #"\u0000"#, #""}"#),
      (#"{"jsonrpc":"2.0","id":1,"method":"ping","x":"#, "9", "}"),
      (#"{"jsonrpc":"2.0","id":1,"method":"ping","x":0."#, "0", "1}"),
      (#"{"jsonrpc":"2.0","id":1,"method":""#, #"\""#, #""}"#),
      (#"{"jsonrpc":"2.0","id":1,"method":"ping","#, #""a":1,"#, #""a":2}"#),
      (#"{"jsonrpc":"2.0","id":1,"method":"getStatuses","params":{"ids":["#, #""a","#, #""a"]}}"#),
      (#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, " ", ""),
    ]
  )
  func oddJSON(beginning: String, part: String, end: String) throws {
    let room = (1 << 20) - beginning.utf8.count - end.utf8.count
    let middle = String(repeating: part, count: room / part.utf8.count)
    try sidecar.send(beginning + middle + end)
    #expect(try sidecar.receive().isMessage)
    try expectTheConnectionGoesOn()
  }

  @Test("stdout carries protocol messages and nothing else, whatever comes in")
  func protocolMessagesOnly() throws {
    try sidecar.send(id: 1, "subscribe")
    try sidecar.send(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
    try sidecar.send("\u{1}\u{2}\u{3}")
    try sidecar.send(#"[1,{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","id":2}]"#)
    try sidecar.send(id: nil, "transition", #"{"id":"a","event":"start"}"#)
    try sidecar.send(id: nil, "transition", #"{"id":"a","event":"start"}"#)
    try sidecar.send(id: 3, "rpc.discover")
    try sidecar.send(id: 4, "stats")
    try sidecar.send(id: nil, "unsubscribe", #"{"subscription":"none"}"#)
    #expect(try sidecar.stop() == .code(0))
    let messages = try sidecar.receiveRest()
    #expect(messages.filter { !$0.isMessage }.isEmpty)
    #expect(messages.count == 7)
    let text = try sidecar.outputText()
    #expect(text.hasSuffix("}\n"))
    #expect(!text.contains("\r"))
  }
}

@Suite("Lines that are too long")
struct LongLineTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("a line of 100 MB is refused before its end, once, and is not held in memory")
  func hundredMegabytes() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    #expect(try sidecar.call("ping").errorCode == nil)
    let before = try sidecar.peakMemory()
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
    try sidecar.send(bytes: piece + piece)
    let answer = try sidecar.receive()
    #expect(answer.errorCode == -32_600)
    #expect(answer.hasNullID)
    for _ in 2..<100 { try sidecar.send(bytes: piece) }
    try sidecar.send("")
    #expect(try sidecar.call("ping").errorCode == nil)
    #expect(try sidecar.peakMemory() - before < 16 << 20)
  }

  @Test("--max-line-bytes counts the bytes of a line without its end")
  func limit() throws {
    let sidecar = try SidecarProcess(serving: folder.database, ["--max-line-bytes", "100"])
    let line = SidecarProcess.message(id: 1, "ping")
    let longest = line + String(repeating: " ", count: 100 - line.utf8.count)
    for end in ["", "\r"] {
      try sidecar.send(longest + end)
      #expect(try sidecar.receive().integer("id") == 1)
      try sidecar.send(longest + " " + end)
      #expect(try sidecar.receive().errorCode == -32_600)
    }
    #expect(try sidecar.call("ping").errorCode == nil)
  }

  @Test("a line that is too long and has no end gets one error at the end of stdin")
  func tooLongAtTheEnd() throws {
    let sidecar = try SidecarProcess(serving: folder.database, ["--max-line-bytes", "10"])
    try sidecar.send(bytes: Array("hello, world".utf8))
    #expect(try sidecar.stop() == .code(0))
    #expect(try sidecar.receiveRest().map(\.errorCode) == [-32_600])
  }
}
