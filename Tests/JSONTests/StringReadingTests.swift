import JSON
import Testing

@Suite("Reading strings")
struct StringReadingTests {
  @Test(
    "every escape stands for its code point",
    arguments: [
      (#""\"""#, 0x22), (#""\\""#, 0x5C), (#""\/""#, 0x2F), (#""\b""#, 0x08), (#""\f""#, 0x0C),
      (#""\n""#, 0x0A), (#""\r""#, 0x0D), (#""\t""#, 0x09), (#""\u0000""#, 0x00),
      (#""\u0041""#, 0x41), (#""\u00e9""#, 0xE9), (#""\u00E9""#, 0xE9), (#""\uD7FF""#, 0xD7FF),
      (#""\uE000""#, 0xE000), (#""\uFFFF""#, 0xFFFF), (#""\uFeFf""#, 0xFEFF),
    ] as [(String, UInt32)]
  )
  func escape(text: String, scalar: UInt32) throws {
    #expect(try JSON(reading: text).scalars == [scalar])
  }

  @Test(
    "no other escape is read",
    arguments: [
      #""\a""#, #""\x41""#, #""\U0041""#, #""\0""#, #""\'""#, #""\ ""#, #""\é""#, "\"\\\n\"",
      #""\u""#, #""\u1""#, #""\u12""#, #""\u123""#, #""\u123g""#, #""\u+123""#, #""\u 123""#,
      #""\"#, #""\u"#, #""\u0"#, #""\u004"#, #""\u0041"#,
    ]
  )
  func unknownEscape(text: String) {
    #expect(isRefused(text))
  }

  @Test(
    "a surrogate pair is one code point",
    arguments: [
      (#""\ud800\udc00""#, 0x10000), (#""\ud83d\ude00""#, 0x1F600), (#""\uD83D\uDE00""#, 0x1F600),
      (#""\udbff\udfff""#, 0x10FFFF), (#""\ud800\udfff""#, 0x103FF), (#""\udbff\udc00""#, 0x10FC00),
    ] as [(String, UInt32)]
  )
  func surrogatePair(text: String, scalar: UInt32) throws {
    #expect(try JSON(reading: text).scalars == [scalar])
  }

  @Test(
    "a lone surrogate is a syntax error, in a value and in a key",
    arguments: [
      #"\ud800"#, #"\udbff"#, #"\udc00"#, #"\udfff"#, #"\ud83dx"#, #"x\ud83d"#, #"\ud83d\n"#,
      #"\ud83d\u0041"#, #"\ud83d\ud83d"#, #"\ud83d\ud83d\ude00"#, #"\ude00\ud83d"#,
      #"\ud83d\ude00\ude00"#, #"\ud83d\ude0"#, #"\ud83d\"#, #"\ud83d\u"#, #"\ud83du0041"#,
    ]
  )
  func loneSurrogate(content: String) {
    #expect(isRefused("\"\(content)\""))
    #expect(isRefused("{\"\(content)\":1}"))
    #expect(isRefused("[\"\(content)\"]"))
  }

  @Test("a control character has to be escaped, in a value and in a key", arguments: 0..<0x20)
  func controlCharacter(byte: Int) throws {
    let byte = UInt8(byte)
    let quote = UInt8(ascii: "\"")
    #expect(isRefused([quote, byte, quote]))
    #expect(isRefused([quote, UInt8(ascii: "\\"), UInt8(ascii: "n"), byte, quote]))
    #expect(isRefused(Array("{\"".utf8) + [byte] + Array("\":1}".utf8)))
    let digits = String(byte, radix: 16)
    let escaped = "\"\\u" + String(repeating: "0", count: 4 - digits.count) + digits + "\""
    #expect(try JSON(reading: escaped).scalars == [UInt32(byte)])
  }

  @Test("U+007F, C1 controls, noncharacters and line separators need no escape")
  func unescapedOddities() throws {
    let scalars: [UInt32] = [0x7F, 0x80, 0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF, 0x10FFFF]
    var text = "\""
    text.unicodeScalars.append(contentsOf: scalars.compactMap(Unicode.Scalar.init))
    #expect(try JSON(reading: text + "\"").scalars == scalars)
  }

  @Test("what stands around an escape is kept, byte by byte")
  func aroundEscapes() throws {
    let json = try JSON(reading: #""a\u0062c\nd\"e\\""#)
    #expect(json.isSame(as: .string("abc\nd\"e\\")))
    #expect(try JSON(reading: #""é\u0301\ud83d\ude00é""#).isSame(as: .string("é\u{301}😀é")))
    #expect(try JSON(reading: #""""#).isSame(as: .string("")))
  }

  @Test("nothing is normalized: one and two code points of an é stay what they are")
  func noNormalization() throws {
    #expect(try JSON(reading: "\"\u{E9}\"").scalars == [0xE9])
    #expect(try JSON(reading: "\"e\u{301}\"").scalars == [0x65, 0x301])
  }

  @Test(
    "bytes that are not UTF-8 are a syntax error, in a value, beside an escape and in a key",
    arguments: [
      // A byte that never occurs.
      [0xFF], [0xFE], [0xC0], [0xC1], [0xF5, 0x80, 0x80, 0x80],
      // A continuation without a beginning.
      [0x80], [0xBF], [0xC3, 0xA9, 0xA9],
      // Overlong.
      [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF],
      [0xF0, 0x80, 0x80, 0xAF], [0xF0, 0x8F, 0xBF, 0xBF],
      // Surrogates, alone and as a pair.
      [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80],
      // Cut short.
      [0xC3], [0xE2], [0xE2, 0x82], [0xF0], [0xF0, 0x9F], [0xF0, 0x9F, 0x98],
      [0xE2, 0x82, 0x41],
      // Beyond U+10FFFF.
      [0xF4, 0x90, 0x80, 0x80], [0xF7, 0xBF, 0xBF, 0xBF], [0xF8, 0x88, 0x80, 0x80, 0x80],
    ] as [[UInt8]]
  )
  func invalidUTF8(bytes: [UInt8]) {
    #expect(isRefused(Array("\"".utf8) + bytes + Array("\"".utf8)))
    #expect(isRefused(Array("\"a".utf8) + bytes + Array("b\"".utf8)))
    #expect(isRefused(Array("\"\\n".utf8) + bytes + Array("\"".utf8)))
    #expect(isRefused(Array("\"".utf8) + bytes + Array("\\u0041\"".utf8)))
    #expect(isRefused(Array("{\"".utf8) + bytes + Array("\":1}".utf8)))
    #expect(isRefused(bytes))
    #expect(isRefused(Array("1 ".utf8) + bytes))
  }

  @Test("an escape does not complete a code point that was cut short")
  func escapeAfterCutCodePoint() {
    #expect(isRefused([0x22, 0xE2] + Array(#"\u0082"#.utf8) + [0xAC, 0x22]))
    #expect(isRefused([0x22, 0xC3] + Array(#"\u00a9"#.utf8) + [0x22]))
  }

  @Test(
    "a string that does not end is a syntax error",
    arguments: ["\"", "\"a", "\"\\\"", "\"\\n", "{\"a", "{\"", "['a']", "'a'"]
  )
  func unterminated(text: String) {
    #expect(isRefused(text))
  }
}
