import JSON
import Testing

@Suite("Reading arrays, objects and what stands around them")
struct StructureReadingTests {
  @Test("a scalar is a text of its own")
  func scalars() throws {
    #expect(try JSON(reading: "null").isSame(as: .null))
    #expect(try JSON(reading: "true").isSame(as: .bool(true)))
    #expect(try JSON(reading: "false").isSame(as: .bool(false)))
    #expect(try JSON(reading: "\"a\"").isSame(as: .string("a")))
    #expect(try JSON(reading: "1").isSame(as: .integer(1)))
  }

  @Test("space, tab, newline and carriage return may stand between any two tokens")
  func whiteSpace() throws {
    let spread = " \t\r\n{ \t\"a\"\r\n:\t[ 1 ,\n2\r, { } , [ ] ] , \"b\" : null } \n"
    let tight = #"{"a":[1,2,{},[]],"b":null}"#
    #expect(try JSON(reading: spread).isSame(as: JSON(reading: tight)))
    #expect(try JSON(reading: spread).compactText == tight)
  }

  @Test(
    "no other white space is read",
    arguments: ["\u{A0}1", "\u{B}1", "\u{C}1", "\u{2028}1", "\u{3000}1", "1\u{85}", "1\u{A0}"]
  )
  func otherWhiteSpace(text: String) {
    #expect(isRefused(text))
  }

  @Test("a byte order mark is a syntax error, in UTF-8 and in UTF-16")
  func byteOrderMark() {
    #expect(isRefused("\u{FEFF}1"))
    #expect(isRefused("\u{FEFF}{\"a\":1}"))
    #expect(isRefused("1\u{FEFF}"))
    #expect(isRefused([0xFE, 0xFF, 0x00, 0x31]))
    #expect(isRefused([0xFF, 0xFE, 0x31, 0x00]))
  }

  @Test("UTF-16 and UTF-32 are a syntax error")
  func otherEncodings() {
    #expect(isRefused([0x31, 0x00]))
    #expect(isRefused([0x00, 0x31]))
    #expect(isRefused([0x5B, 0x00, 0x5D, 0x00]))
    #expect(isRefused([0x31, 0x00, 0x00, 0x00]))
    #expect(isRefused([0x00, 0x00, 0x00, 0x31]))
  }

  @Test("a NUL is a syntax error wherever it stands")
  func nul() {
    let text = Array(#"{"a":[1,true]}"#.utf8)
    #expect(!isRefused(text))
    for place in 0...text.count {
      #expect(isRefused(text[..<place] + [0] + text[place...]))
    }
    #expect(isRefused([0]))
  }

  @Test("an empty text is a syntax error", arguments: ["", " ", "\n", "\r\n\t "])
  func empty(text: String) {
    #expect(isRefused(text))
  }

  @Test(
    "something behind the value is a syntax error",
    arguments: [
      "1 2", "1,", "null null", "{}{}", "[][]", "[]]", "{}}", "\"a\"\"b\"", "1 x", "{} //", "true,",
    ]
  )
  func trailingText(text: String) {
    #expect(isRefused(text))
  }

  @Test(
    "what is not quite JSON is a syntax error",
    arguments: [
      "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1}", "{]", "{]}",
      "{1:2}", "{a:1}", "{'a':1}", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
      "{,}", "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{null:1}",
      "{\"a\",\"b\"}", "[\"a\":1]", "nul", "nulll", "Null", "NULL", "tru", "truefalse", "fals",
      "t", "n", "f", "undefined", "/*a*/1", "1//a", "#1", "\\u0031", ":", ",",
    ]
  )
  func notJSON(text: String) {
    #expect(isRefused(text))
  }

  @Test(
    "an error tells the byte at which it shows",
    arguments: [
      ("", 0), ("x", 0), ("[1,x]", 3), ("{\"a\" 1}", 5), ("1 2", 2), ("[1 2]", 3), ("\u{FEFF}1", 0),
      ("\"\n\"", 1), ("-x", 1), ("{\"é\" 1}", 6),
    ]
  )
  func errorOffset(text: String, offset: Int) {
    let error = #expect(throws: JSONSyntaxError.self) { try JSON(reading: text) }
    #expect(error?.offset == offset)
    #expect(error?.reason.isEmpty == false)
  }

  // MARK: - Depth

  @Test("512 levels are read, 513 are refused", arguments: ["array", "object", "both"])
  func depth(of kind: String) throws {
    func nested(_ levels: Int) -> String {
      let opening = ["array": ["["], "object": ["{\"a\":"], "both": ["[", "{\"a\":"]][kind] ?? []
      let closing = ["array": ["]"], "object": ["}"], "both": ["]", "}"]][kind] ?? []
      let levels = 0..<levels
      return levels.map { opening[$0 % opening.count] }.joined() + "1"
        + levels.reversed().map { closing[$0 % closing.count] }.joined()
    }
    let json = try JSON(reading: nested(512))
    #expect(json.depth == 512)
    #expect(json.isRepresentable)
    #expect(json.compactText == nested(512))
    let error = #expect(throws: JSONSyntaxError.self) { try JSON(reading: nested(513)) }
    #expect(error?.reason == "nested deeper than 512 levels")
    #expect(JSON.maximumDepth == 512)
  }

  @Test("empty arrays and objects count as a level")
  func emptyLevels() throws {
    let outer = 511
    func nested(_ core: String) -> String {
      String(repeating: "[", count: outer) + core + String(repeating: "]", count: outer)
    }
    #expect(try JSON(reading: nested("[]")).depth == 512)
    #expect(try JSON(reading: nested("{}")).depth == 512)
    #expect(isRefused(nested("[[]]")))
    #expect(isRefused(nested("[{}]")))
  }

  @Test("levels are counted, not brackets: siblings may be many")
  func siblings() throws {
    let text = "[" + Array(repeating: "[]", count: 2_000).joined(separator: ",") + "]"
    #expect(try JSON(reading: text).depth == 2)
  }

  @Test("10,000 nested arrays are refused without a crash, closed or not")
  func hostileDepth() {
    let open = String(repeating: "[", count: 10_000)
    #expect(isRefused(open))
    #expect(isRefused(open + String(repeating: "]", count: 10_000)))
    #expect(isRefused(String(repeating: "{\"a\":", count: 10_000)))
    #expect(isRefused(String(repeating: "[{\"a\":", count: 10_000)))
  }

  @Test("the depth of a scalar is 0, of nested values their number")
  func depthOfValues() throws {
    #expect(try JSON(reading: "1").depth == 0)
    #expect(try JSON(reading: "[]").depth == 1)
    #expect(try JSON(reading: "{}").depth == 1)
    #expect(try JSON(reading: #"{"a":1,"b":[{"c":[]}],"d":{}}"#).depth == 4)
  }
}
