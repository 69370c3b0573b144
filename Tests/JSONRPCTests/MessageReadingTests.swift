import Testing

@testable import JSONRPC

@Suite("Reading messages")
struct MessageReadingTests {
  private func content(_ line: String) -> [String] {
    let line = Array(line.utf8)
    return switch line.withUnsafeBytes({ LineContent(line: $0) }) {
    case .blank: []
    case .one(let message): [spelled(message)]
    case .batch(let messages): ["batch"] + messages.map { spelled($0) }
    }
  }

  @Test(
    "an id comes back as equal JSON",
    arguments: [
      (#""a""#, #""a""#), (#""""#, #""""#), (#""1""#, #""1""#), (#""\u0000\n""#, #""\u0000\n""#),
      (#""\u00e9""#, #""é""#), ("null", "null"), ("0", "0"), ("-1", "-1"), ("1.5", "1.5"),
      ("9223372036854775807", "9223372036854775807"),
      ("-9223372036854775808", "-9223372036854775808"), ("9007199254740993", "9007199254740993"),
      ("9223372036854775808", "9.223372036854776e+18"), ("5.0", "5"), ("1e3", "1000"),
      ("-0", "-0.0"), ("1e300", "1e+300"),
    ]
  )
  func ids(id: String, answered: String) {
    let line = #"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#
    #expect(content(line) == ["request \(answered) ping {}"])
    // And where something else is wrong.
    #expect(content(#"{"id":\#(id),"method":"ping"}"#) == ["invalid \(answered)"])
    #expect(content(#"{"jsonrpc":"2.0","id":\#(id),"method":7}"#) == ["invalid \(answered)"])
  }

  @Test(
    "an id that is no string, number or null is invalid and answered with null",
    arguments: ["[]", "[1]", "{}", #"{"a":1}"#, "true", "false", "1e400", "-1e400"]
  )
  func unusableIDs(id: String) {
    #expect(content(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#) == ["invalid null"])
    #expect(content(#"{"id":\#(id),"method":"ping"}"#) == ["invalid null"])
  }

  @Test("a message without an id is a notification")
  func notification() {
    let line = #"{"jsonrpc":"2.0","method":"transition","params":{"id":"a"}}"#
    #expect(content(line) == [#"notification transition {"id":"a"}"#])
    #expect(content(#"{"jsonrpc":"2.0","method":""}"#) == ["notification  {}"])
  }

  @Test(
    "a message is of version 2.0 and says so in a string",
    arguments: [
      #"{"id":1,"method":"ping"}"#, #"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
      #"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, #"{"jsonrpc":null,"id":1,"method":"ping"}"#,
      #"{"jsonrpc":"2.0 ","id":1,"method":"ping"}"#, #"{"jsonrpc":"2","id":1,"method":"ping"}"#,
      #"{"JSONRPC":"2.0","id":1,"method":"ping"}"#, #"{"jsonrpc":["2.0"],"id":1,"method":"ping"}"#,
      #"{"id":1,"result":{}}"#,
    ]
  )
  func version(line: String) {
    #expect(content(line) == ["invalid 1"])
  }

  @Test(
    "a method is a string",
    arguments: ["1", "null", "true", "[]", "{}", #"["ping"]"#]
  )
  func method(method: String) {
    #expect(content(#"{"jsonrpc":"2.0","id":1,"method":\#(method)}"#) == ["invalid 1"])
    #expect(content(#"{"jsonrpc":"2.0","method":\#(method)}"#) == ["invalid null"])
    #expect(content(#"{"jsonrpc":"2.0","id":1,"method":\#(method),"result":1}"#) == ["invalid 1"])
  }

  @Test("an envelope without a method is invalid")
  func noMethod() {
    #expect(content(#"{"jsonrpc":"2.0","id":1}"#) == ["invalid 1"])
    #expect(content(#"{"jsonrpc":"2.0"}"#) == ["invalid null"])
    #expect(content("{}") == ["invalid null"])
  }

  @Test(
    "an id with a result or an error and no method is shaped like a response",
    arguments: [
      #"{"jsonrpc":"2.0","id":1,"result":{}}"#, #"{"jsonrpc":"2.0","id":1,"result":null}"#,
      #"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}"#,
      #"{"jsonrpc":"2.0","id":"a","result":1,"error":null}"#,
    ]
  )
  func response(line: String) {
    #expect(content(line) == ["response"])
  }

  @Test(
    "params are an object; absent and null ones are an empty one, all else is of no use",
    arguments: [
      ("", "{}"), (#","params":null"#, "{}"), (#","params":{}"#, "{}"),
      (#","params":{"b":1,"a":[2.5,null]}"#, #"{"b":1,"a":[2.5,null]}"#),
      (#","params":[]"#, "unusable"), (#","params":[{}]"#, "unusable"),
      (#","params":1"#, "unusable"),
      (#","params":"a""#, "unusable"), (#","params":false"#, "unusable"),
    ]
  )
  func params(member: String, read: String) {
    #expect(content(#"{"jsonrpc":"2.0","id":1,"method":"m"\#(member)}"#) == ["request 1 m \(read)"])
    #expect(content(#"{"jsonrpc":"2.0","method":"m"\#(member)}"#) == ["notification m \(read)"])
  }

  @Test("other members of the envelope are ignored, and of equal ones the last one counts")
  func envelope() {
    let extended = #"{"x":{"id":3},"method":"m","trace":[1],"id":1,"jsonrpc":"2.0","result":1}"#
    #expect(content(extended) == ["request 1 m {}"])
    let repeated = #"{"jsonrpc":"1.0","id":1,"method":"m","id":2,"method":"n","jsonrpc":"2.0"}"#
    #expect(content(repeated) == ["request 2 n {}"])
  }

  @Test("what is no object is no message", arguments: ["1", "\"a\"", "null", "true", "-0.5"])
  func scalars(line: String) {
    #expect(content(line) == ["invalid null"])
  }

  @Test(
    "a line that is not JSON is unreadable, and answered with null",
    arguments: [
      "{", "x", "{]", #"{"jsonrpc":"2.0","id":1,"method":"m"} x"#, "\u{FEFF}{}", #""\ud800""#,
      #"[{"jsonrpc":"2.0","id":1,"method":"m"},"#, #"{"id":1,}"#, "\u{A0}", "\0", "\u{B}",
    ]
  )
  func unreadable(line: String) {
    #expect(content(line) == ["unreadable null"])
  }

  @Test("what is wrong with a line, and where, is told to people")
  func reasons() {
    let line = Array(#"{"id" 1}"#.utf8)
    guard case .one(.failure(let error)) = line.withUnsafeBytes({ LineContent(line: $0) }),
      case .unreadable(let reason) = error.reason
    else {
      Issue.record("the line was read")
      return
    }
    #expect(reason == "a colon is missing, at byte 6 of the line")
  }

  @Test("a line of white space holds nothing", arguments: ["", " ", "\t", "\r", " \t \r "])
  func blank(line: String) {
    #expect(content(line).isEmpty)
  }

  @Test("white space around a message does not matter")
  func spaceAround() {
    #expect(content(" \t{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\r ") == ["notification m {}"])
  }

  // MARK: - Batches

  @Test("an empty batch is one invalid message", arguments: ["[]", " [ ] "])
  func emptyBatch(line: String) {
    #expect(content(line) == ["invalid null"])
  }

  @Test("a batch holds 1 to 1,000 messages; one more is one invalid message")
  func batchSizes() {
    let request = #"{"jsonrpc":"2.0","id":1,"method":"m"}"#
    func batch(_ count: Int) -> [String] {
      content("[" + Array(repeating: request, count: count).joined(separator: ",") + "]")
    }
    #expect(batch(1) == ["batch", "request 1 m {}"])
    #expect(batch(1_000) == ["batch"] + Array(repeating: "request 1 m {}", count: 1_000))
    #expect(batch(1_001) == ["invalid null"])
  }

  @Test("elements that are no requests are invalid one by one, and the others stand")
  func batchElements() {
    let elements = [
      "1", #"{"jsonrpc":"2.0","id":1,"method":"m"}"#, "[]", #"[{"jsonrpc":"2.0","method":"m"}]"#,
      "{}", #"{"jsonrpc":"2.0","method":"n"}"#, #"{"jsonrpc":"2.0","id":2,"result":0}"#, "null",
      #"{"id":"a"}"#,
    ]
    let read = [
      "invalid null", "request 1 m {}", "invalid null", "invalid null", "invalid null",
      "notification n {}", "response", "invalid null", #"invalid "a""#,
    ]
    #expect(content("[" + elements.joined(separator: ",") + "]") == ["batch"] + read)
  }

  @Test("a batch that is cut short is unreadable as a whole")
  func cutBatch() {
    #expect(content(#"[{"jsonrpc":"2.0","id":1,"method":"m"}"#) == ["unreadable null"])
  }

  @Test("nesting too deep is unreadable, on the reader's terms")
  func depth() {
    func nested(_ levels: Int) -> String {
      let params = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
      return #"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":\#(params)}}"#
    }
    #expect(content(nested(62)).first?.hasPrefix("request 1 m") == true)
    #expect(content(nested(510)).first?.hasPrefix("request 1 m") == true)
    #expect(content(nested(511)) == ["unreadable null"])
    #expect(content(nested(100_000)) == ["unreadable null"])
  }
}
