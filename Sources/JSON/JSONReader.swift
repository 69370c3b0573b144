/// Why a text is not JSON.
public struct JSONSyntaxError: Error {
  /// What is wrong, for people.
  public let reason: String
  /// The byte at which it shows, from 0.
  public let offset: Int
}

extension JSON {
  /// Levels of nesting that are read; more is an error, so that no input can exhaust the stack.
  public static let maximumDepth = 512

  /// Reads one JSON text (RFC 8259) in UTF-8, with nothing but white space around it.
  ///
  /// Why not Foundation: `JSONDecoder` takes the first of several equal keys where the contract
  /// says the last, and has to be asked for type after type where a value may be anything;
  /// `JSONSerialization` boxes each value and makes of long numbers decimals that may miss the
  /// nearest double. Both join keys that are canonically equivalent, skip a byte order mark, guess
  /// at UTF-16 and UTF-32, and let a comma stand behind the last element. A test reads the same
  /// texts with both readers and compares.
  public init(reading bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
    var reader = JSONReader(bytes: bytes)
    reader.skipWhiteSpace()
    self = try reader.value(depth: 0)
    reader.skipWhiteSpace()
    guard reader.position == bytes.count else {
      throw reader.error("something follows the value")
    }
  }

  /// Reads a text that is known to be in memory as a whole.
  public init(reading text: String) throws(JSONSyntaxError) {
    var text = text
    let result = text.withUTF8 { utf8 in
      Result { () throws(JSONSyntaxError) in
        try JSON(reading: UnsafeRawBufferPointer(utf8))
      }
    }
    self = try result.get()
  }
}

private struct JSONReader {
  let bytes: UnsafeRawBufferPointer
  var position = 0

  func error(_ reason: String) -> JSONSyntaxError {
    JSONSyntaxError(reason: reason, offset: position)
  }

  mutating func skipWhiteSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  mutating func value(depth: Int) throws(JSONSyntaxError) -> JSON {
    guard position < bytes.count else { throw error("the text ends before its value does") }
    switch bytes[position] {
    case UInt8(ascii: "\""):
      return .string(try string())
    case UInt8(ascii: "{"):
      return .object(try object(depth: depth + 1))
    case UInt8(ascii: "["):
      return .array(try array(depth: depth + 1))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return try number()
    case UInt8(ascii: "t"):
      try word("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try word("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try word("null")
      return .null
    default:
      throw error("no value begins so")
    }
  }

  private mutating func word(_ word: StaticString) throws(JSONSyntaxError) {
    let matches = word.withUTF8Buffer { expected in
      bytes.count - position >= expected.count
        && bytes[position..<(position + expected.count)].elementsEqual(expected)
    }
    guard matches else { throw error("no value begins so") }
    position += word.utf8CodeUnitCount
  }

  private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONObject {
    try open(depth: depth)
    var members: [JSONObject.Member] = []
    if take(UInt8(ascii: "}")) { return JSONObject() }
    while true {
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw error("a key in double quotes is missing")
      }
      let key = try string()
      skipWhiteSpace()
      guard take(UInt8(ascii: ":")) else { throw error("a colon is missing") }
      skipWhiteSpace()
      members.append(JSONObject.Member(key: key, value: try value(depth: depth)))
      skipWhiteSpace()
      if take(UInt8(ascii: "}")) { return JSONObject(reading: members) }
      guard take(UInt8(ascii: ",")) else { throw error("a comma or a brace is missing") }
      skipWhiteSpace()
    }
  }

  private mutating func array(depth: Int) throws(JSONSyntaxError) -> [JSON] {
    try open(depth: depth)
    var elements: [JSON] = []
    if take(UInt8(ascii: "]")) { return elements }
    while true {
      elements.append(try value(depth: depth))
      skipWhiteSpace()
      if take(UInt8(ascii: "]")) { return elements }
      guard take(UInt8(ascii: ",")) else { throw error("a comma or a bracket is missing") }
      skipWhiteSpace()
    }
  }

  private mutating func open(depth: Int) throws(JSONSyntaxError) {
    guard depth <= JSON.maximumDepth else {
      throw error("nested deeper than \(JSON.maximumDepth) levels")
    }
    position += 1
    skipWhiteSpace()
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  // MARK: - Numbers

  private mutating func number() throws(JSONSyntaxError) -> JSON {
    let start = position
    let isNegative = take(UInt8(ascii: "-"))
    let firstDigit = position
    var magnitude: UInt64 = 0
    var fits = true
    while position < bytes.count, let digit = decimalDigit(bytes[position]) {
      let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
      fits = fits && !overflow && !carry
      magnitude = sum
      position += 1
    }
    let digits = position - firstDigit
    guard digits > 0 else { throw error("a digit is missing") }
    guard digits == 1 || bytes[firstDigit] != UInt8(ascii: "0") else {
      throw error("a number may not begin with 0")
    }
    var isWhole = true
    if take(UInt8(ascii: ".")) {
      isWhole = false
      try skipDigits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isWhole = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try skipDigits()
    }
    if isWhole, fits, let value = whole(magnitude, isNegative: isNegative) {
      return .integer(value)
    }
    let literal = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(literal) else { throw error("not a number") }
    return .number(value)
  }

  /// The exact integer, nil for -0 and for what 64 bits do not hold.
  private func whole(_ magnitude: UInt64, isNegative: Bool) -> Int64? {
    guard isNegative else { return Int64(exactly: magnitude) }
    guard magnitude > 0, magnitude <= Int64.min.magnitude else { return nil }
    return Int64(truncatingIfNeeded: 0 &- magnitude)
  }

  private mutating func skipDigits() throws(JSONSyntaxError) {
    let start = position
    while position < bytes.count, decimalDigit(bytes[position]) != nil { position += 1 }
    guard position > start else { throw error("a digit is missing") }
  }

  private func decimalDigit(_ byte: UInt8) -> UInt8? {
    let digit = byte &- UInt8(ascii: "0")
    return digit < 10 ? digit : nil
  }

  // MARK: - Strings

  private mutating func string() throws(JSONSyntaxError) -> String {
    position += 1
    let start = position
    var allBits: UInt8 = 0
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        let text = try text(start..<position, isASCII: allBits < 0x80)
        position += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try stringWithEscapes(from: start) }
      guard byte >= 0x20 else { throw error("a control character in a string is not escaped") }
      allBits |= byte
      position += 1
    }
    throw error("a string does not end")
  }

  /// The text of a stretch of bytes; what is ASCII needs no further look.
  private func text(_ range: Range<Int>, isASCII: Bool) throws(JSONSyntaxError) -> String {
    let utf8 = UnsafeRawBufferPointer(rebasing: bytes[range])
    if isASCII {
      return String(unsafeUninitializedCapacity: utf8.count) { text in
        UnsafeMutableRawBufferPointer(text).copyMemory(from: utf8)
        return utf8.count
      }
    }
    guard let text = String(validating: utf8, as: UTF8.self) else {
      throw error("the string that ends here is not UTF-8")
    }
    return text
  }

  /// Goes on with a string at its first escape.
  private mutating func stringWithEscapes(from start: Int) throws(JSONSyntaxError) -> String {
    var unescaped = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: unescaped, as: UTF8.self) else {
          throw error("the string that ends here is not UTF-8")
        }
        position += 1
        return text
      case UInt8(ascii: "\\"):
        position += 1
        unescaped.append(contentsOf: UTF8.encode(try escape()) ?? UTF8.encodedReplacementCharacter)
      case ..<0x20:
        throw error("a control character in a string is not escaped")
      default:
        unescaped.append(byte)
        position += 1
      }
    }
    throw error("a string does not end")
  }

  /// What an escape stands for; the position is behind its backslash.
  private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
    guard position < bytes.count else { throw error("a string does not end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try hexadecimalUnit()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      guard unit < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
        throw error("a lone surrogate")
      }
      let low = try hexadecimalUnit()
      guard (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(
          0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
        )
      else { throw error("a lone surrogate") }
      return scalar
    default:
      throw error("no such escape")
    }
  }

  private mutating func hexadecimalUnit() throws(JSONSyntaxError) -> UInt16 {
    guard bytes.count - position >= 4 else { throw error("four hexadecimal digits are missing") }
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = hexadecimalDigit(bytes[position]) else {
        throw error("four hexadecimal digits are missing")
      }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }

  private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
