import Support
import Testing

@testable import JSON

@Suite("Writing")
struct JSONWriterTests {
  private func written(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    write(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test("commas stand between members and elements, and nowhere else")
  func commas() {
    let text = written { writer in
      writer.beginObject()
      writer.key("a")
      writer.beginArray()
      writer.endArray()
      writer.key("b")
      writer.beginArray()
      writer.null()
      writer.beginObject()
      writer.endObject()
      writer.bool(true)
      writer.endArray()
      writer.key(escaping: String("c"))
      writer.beginObject()
      writer.key("d")
      writer.raw("[1,2]")
      writer.key(escaping: String("e"))
      writer.raw([UInt8(ascii: "3")])
      writer.endObject()
      writer.endObject()
    }
    #expect(text == #"{"a":[],"b":[null,{},true],"c":{"d":[1,2],"e":3}}"#)
  }

  @Test("a line's end makes the next text one of its own")
  func lines() {
    let text = written { writer in
      for number in 1...3 {
        writer.integer(Int64(number))
        writer.endLine()
      }
    }
    #expect(text == "1\n2\n3\n")
  }

  @Test("what was taken is not handed out again, and writing goes on behind it")
  func take() {
    var writer = JSONWriter()
    writer.beginArray()
    writer.integer(1)
    let taken = writer.take()
    #expect(taken == Array("[1".utf8))
    let rest = writer.bytes
    #expect(rest.isEmpty)
    writer.integer(2)
    writer.endArray()
    let more = writer.take()
    #expect(more == Array(",2]".utf8))
  }

  @Test("quotes, backslashes and control characters are escaped, nothing else is")
  func escapes() {
    #expect(written { $0.string("\"\\/\u{7F}é\u{2028}😀") } == "\"\\\"\\\\/\u{7F}é\u{2028}😀\"")
    #expect(written { $0.string("a\nb\rc\td") } == #""a\nb\rc\td""#)
    #expect(
      written { $0.string("\0\u{1}\u{8}\u{C}\u{1F}") } == #""\u0000\u0001\u0008\u000c\u001f""#
    )
    #expect(written { $0.string("") } == #""""#)
    #expect(written { $0.key(escaping: String("\"\n")) } == #""\"\n":"#)
  }

  @Test("an escape is written wherever it stands among bytes that need none", arguments: 0..<24)
  func escapeAmongOthers(place: Int) {
    let before = String(repeating: "é", count: place / 2) + (place % 2 == 1 ? "x" : "")
    for byte in UInt8(0)..<0x80 {
      let text = before + String(UnicodeScalar(byte)) + "~ zzzzzzz"
      let json = written { $0.string(text) }
      #expect(json.contains("\\") == (byte < 0x20 || byte == 0x22 || byte == 0x5C))
      #expect((try? JSON(reading: json))?.isSame(as: .string(text)) == true)
    }
  }

  @Test("no text can end a line: every control character is read back from its escape")
  func controlCharacters() throws {
    for byte in 0..<UInt8(0x20) {
      let text = "a" + String(decoding: [byte, byte], as: UTF8.self) + "é"
      let line = written { $0.string(text) }
      #expect(line.utf8.allSatisfy { $0 >= 0x20 })
      #expect(try JSON(reading: line).isSame(as: .string(text)))
    }
  }

  @Test("an absent text is null")
  func optionalText() {
    #expect(written { $0.string(nil) } == "null")
    #expect(written { $0.string(.some("a")) } == #""a""#)
  }

  @Test(
    "integers are written exactly",
    arguments: [0, 1, -1, 9, 10, -10, 1_234_567_890, 9_007_199_254_740_993, .max, .min] as [Int64]
  )
  func integers(value: Int64) throws {
    #expect(written { $0.integer(value) } == "\(value)")
    #expect(try JSON(reading: "\(value)").compactText == "\(value)")
  }

  @Test(
    "a double without fraction below 2^53 is written like an integer",
    arguments: [
      (5, "5"), (0, "0"), (-3, "-3"), (1e15, "1000000000000000"),
      (9_007_199_254_740_991, "9007199254740991"), (-9_007_199_254_740_991, "-9007199254740991"),
    ] as [(Double, String)]
  )
  func wholeDoubles(value: Double, text: String) {
    #expect(written { $0.number(value) } == text)
  }

  @Test("from 2^53 on a double looks like one: not every integer there is meant")
  func largeWholeDoubles() {
    #expect(written { $0.number(0x1p53) } == "9007199254740992.0")
    #expect(written { $0.number(-0x1p60) } == "-1.152921504606847e+18")
  }

  @Test(
    "a number comes back equal as a double, the sign of 0 too",
    arguments: [
      "0.1", "-0.1", "1e-7", "1e21", "1e300", "-1e-300", "5e-324", "1.7976931348623157e308", "-0",
      "-0.0", "0.0", "9007199254740992", "9007199254740993.0", "18446744073709551616", "2.5",
      "123456789012345678901234567890", "100.00", "1E400", "3.14159265358979311599796346854",
      "1e16",
    ]
  )
  func numbersComeBack(text: String) throws {
    let value = try #require(try JSON(reading: text).double)
    guard value.isFinite else { return }
    let again = try #require(try JSON(reading: written { $0.number(value) }).double)
    #expect(again.bitPattern == value.bitPattern)
  }

  @Test("random doubles come back equal, whatever their exponent")
  func randomDoublesComeBack() throws {
    var random = SplitMix64(seed: 1)
    for _ in 0..<5_000 {
      let value = Double(bitPattern: random.next())
      guard value.isFinite else { continue }
      let text = JSON.number(value).compactText
      #expect(try JSON(reading: text).double == value, "\(text)")
    }
  }

  @Test("the compact text is as long as the shortest spelling of every part")
  func compactSizes() throws {
    func size(_ text: String) throws -> Int { try JSON(reading: text).compactText.utf8.count }
    #expect(try size(" { } ") == 2)
    #expect(
      try size(#"{ "a" : [ 1 , 2.0 , "\u0041\/\u00e9" ] }"#) == #"{"a":[1,2,"A/é"]}"#.utf8.count
    )
    #expect(try size(#""\u0000""#) == 8)
    #expect(try size(#""\n""#) == 4)
    #expect(try size(#""\ud83d\ude00""#) == 6)
    #expect(try size("1.50e0") == 3)
  }

  @Test(
    "a value read and written is the same value",
    arguments: [
      #"{"a":[1,-2.5,"x\n",null,true,false,{}],"":[[]],"é":{"é":1}}"#,
      #"[{"jsonrpc":"2.0","id":9223372036854775807,"params":{"metadata":{"n":0.1}}}]"#,
    ]
  )
  func roundTrip(text: String) throws {
    let json = try JSON(reading: text)
    #expect(json.compactText == text)
    #expect(try JSON(reading: json.compactText).isSame(as: json))
  }

  @Test("the room of a long text is given back when it is taken, that of short ones is kept")
  func memory() {
    var writer = JSONWriter()
    writer.string(String(repeating: "x", count: 1 << 16))
    _ = writer.take()
    let kept = writer.capacity
    #expect(kept > 1 << 16)
    writer.string(String(repeating: "x", count: 1 << 20))
    let taken = writer.take()
    #expect(taken.count == ",\"\"".utf8.count + 1 << 20)
    let least = writer.capacity
    #expect(least < kept)
    writer.null()
    let rest = writer.take()
    #expect(rest == Array(",null".utf8))
  }
}
