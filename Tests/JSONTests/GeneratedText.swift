import Support

/// Texts that are JSON, nearly JSON, or JSON that was damaged: every one follows from the seed.
struct TextGenerator {
  private var random: SplitMix64
  private var bytes: [UInt8] = []

  init(seed: UInt64) {
    random = SplitMix64(seed: seed)
  }

  mutating func next() -> [UInt8] {
    bytes.removeAll(keepingCapacity: true)
    space()
    value(depth: 0)
    space()
    if random.below(3) > 0 { return bytes }
    for _ in 0...random.below(3) { damage() }
    return bytes
  }

  private mutating func value(depth: Int) {
    switch random.below(depth < 4 ? 10 : 7) {
    case 0: append(Self.words)
    case 1...3: number()
    case 4...6: string()
    case 7...8: array(depth: depth + 1)
    default: object(depth: depth + 1)
    }
  }

  private mutating func array(depth: Int) {
    bytes.append(UInt8(ascii: "["))
    space()
    let count = random.below(4)
    for index in 0..<count {
      if index > 0 { separate() }
      value(depth: depth)
      space()
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func object(depth: Int) {
    bytes.append(UInt8(ascii: "{"))
    space()
    let count = random.below(20) == 0 ? 16 : random.below(4)
    for index in 0..<count {
      if index > 0 { separate() }
      // Few keys, so that they repeat; é in one and in two code points.
      if random.below(4) > 0 { append(Self.keys) } else { string() }
      space()
      bytes.append(UInt8(ascii: ":"))
      space()
      value(depth: depth)
      space()
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private mutating func separate() {
    bytes.append(UInt8(ascii: ","))
    space()
  }

  private mutating func string() {
    bytes.append(UInt8(ascii: "\""))
    for _ in 0..<random.below(5) { append(Self.contents) }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func number() {
    if random.below(3) == 0 {
      append(Self.numbers)
      return
    }
    if random.below(4) == 0 { bytes.append(UInt8(ascii: "-")) }
    digits(1 + random.below(random.below(4) == 0 ? 25 : 3))
    if random.below(3) == 0 {
      bytes.append(UInt8(ascii: "."))
      digits(1 + random.below(random.below(4) == 0 ? 20 : 3))
    }
    if random.below(4) == 0 {
      append(Self.exponents)
      digits(1 + random.below(3))
    }
  }

  private mutating func digits(_ count: Int) {
    for _ in 0..<count { bytes.append(UInt8(ascii: "0") + UInt8(random.below(10))) }
  }

  private mutating func space() {
    if random.below(8) == 0 { append(Self.spaces) }
  }

  private mutating func append(_ choices: [[UInt8]]) {
    bytes.append(contentsOf: choices[random.below(choices.count)])
  }

  /// Takes a byte out, puts one in, changes one, repeats a piece or cuts the text short.
  private mutating func damage() {
    let place = random.below(bytes.count + 1)
    switch random.below(6) {
    case 0 where place < bytes.count: bytes.remove(at: place)
    case 1 where place < bytes.count: bytes[place] = UInt8(random.below(256))
    case 2 where place < bytes.count:
      let end = min(bytes.count, place + 1 + random.below(6))
      bytes.insert(contentsOf: Array(bytes[place..<end]), at: random.below(bytes.count + 1))
    case 3 where place > 0: bytes.removeSubrange(place...)
    default:
      let choices = random.below(2) == 0 ? Self.tokens : Self.contents
      bytes.insert(contentsOf: choices[random.below(choices.count)], at: place)
    }
  }

  private static func spelled(_ texts: [String]) -> [[UInt8]] {
    texts.map { Array($0.utf8) }
  }

  private static let words = spelled(["null", "true", "false"])
  private static let spaces = spelled([" ", "\n", "\t", "\r", " \r\n "])
  private static let exponents = spelled(["e", "E", "e+", "e-", "E-"])
  private static let keys = spelled([
    #""a""#, #""b""#, #""\u0061""#, "\"\u{E9}\"", "\"e\u{301}\"", #""\u00e9""#, #""""#,
  ])
  private static let numbers = spelled([
    "0", "-0", "-0.0", "1", "-1", "9007199254740993", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "1e400", "-1e400", "1e308", "1.8e308", "1e-400", "5e-324", "01", "1.", ".5", "+1", "1e", "-",
    "0.1", "1e23", "2.2250738585072011e-308", "123456789012345678901234567890",
  ])
  private static let contents =
    spelled([
      "a", "z", " ", "/", "\u{E9}", "e\u{301}", "\u{20AC}", "\u{1F600}", "\u{FEFF}", "\u{7F}",
      "\u{1}",
      #"\""#, #"\\"#, #"\/"#, #"\b"#, #"\f"#, #"\n"#, #"\r"#, #"\t"#, #"\u0000"#, #"\u001f"#,
      #"\u0041"#, #"\u00e9"#, #"\uFFFF"#, #"\ud83d\ude00"#, #"\ud800"#, #"\udc00"#,
      #"\ud83d\u0041"#,
      #"\x"#, #"\u12"#, "0", "e", "u",
    ]) + [
      [0xFF], [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0xAF], [0xE2, 0x82], [0xED, 0xA0, 0x80],
      [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF0, 0x80, 0x80, 0x80], [0x00],
    ]
  private static let tokens =
    spelled([
      "[", "]", "{", "}", ",", ":", "\"", "\\", "-", "+", ".", "e", "0", "1", "null", "tru", "//",
      "'", "\u{A0}", "\u{C}", "NaN", ",]", ",}", "[]", "{}", " ",
    ]) + [[0xEF, 0xBB, 0xBF], [0x00]]
}
