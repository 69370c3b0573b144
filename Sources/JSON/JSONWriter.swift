/// Writes compact JSON in UTF-8 into a growing buffer.
///
/// The caller keeps the grammar: a member is a `key` and one value, and commas come by themselves.
public struct JSONWriter {
  public private(set) var bytes: [UInt8]
  private var needsComma = false

  public init(reserving capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  public mutating func beginObject() {
    value()
    bytes.append(UInt8(ascii: "{"))
    needsComma = false
  }

  public mutating func endObject() {
    bytes.append(UInt8(ascii: "}"))
    needsComma = true
  }

  public mutating func beginArray() {
    value()
    bytes.append(UInt8(ascii: "["))
    needsComma = false
  }

  public mutating func endArray() {
    bytes.append(UInt8(ascii: "]"))
    needsComma = true
  }

  /// A key known at compile time that needs no escapes.
  public mutating func key(_ key: StaticString) {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    bytes.append(UInt8(ascii: "\""))
    key.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  public mutating func key(_ key: String) {
    string(key)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  public mutating func null() {
    value()
    bytes.append(contentsOf: [0x6E, 0x75, 0x6C, 0x6C])
  }

  public mutating func bool(_ flag: Bool) {
    raw(flag ? "true" : "false")
  }

  public mutating func integer(_ number: Int64) {
    value()
    appendDigits(of: number)
  }

  /// A finite number, without fraction where it has none and 2^53 holds it.
  public mutating func number(_ number: Double) {
    if abs(number) < 0x1p53, number == number.rounded(.towardZero),
      number != 0 || number.sign == .plus
    {
      integer(Int64(number))
    } else {
      raw(number.description)
    }
  }

  public mutating func string(_ text: String) {
    value()
    bytes.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { appendEscaped($0) }
    bytes.append(UInt8(ascii: "\""))
  }

  public mutating func string(_ text: String?) {
    if let text { string(text) } else { null() }
  }

  /// A text that is compact JSON already.
  public mutating func raw(_ text: String) {
    value()
    var text = text
    text.withUTF8 { bytes.append(contentsOf: $0) }
  }

  /// Bytes that are compact JSON already.
  public mutating func raw(_ json: some Collection<UInt8>) {
    value()
    bytes.append(contentsOf: json)
  }

  public mutating func json(_ json: JSON) {
    switch json {
    case .null: null()
    case .bool(let flag): bool(flag)
    case .integer(let value): integer(value)
    case .number(let value): number(value)
    case .string(let text): string(text)
    case .array(let elements):
      beginArray()
      for element in elements { self.json(element) }
      endArray()
    case .object(let object): self.object(object)
    }
  }

  public mutating func object(_ object: JSONObject) {
    beginObject()
    for member in object.members {
      key(member.key)
      json(member.value)
    }
    endObject()
  }

  /// Ends a line; what follows is a text of its own.
  public mutating func endLine() {
    bytes.append(UInt8(ascii: "\n"))
    needsComma = false
  }

  /// Hands over what has been written so far, and goes on behind it.
  public mutating func take() -> [UInt8] {
    let taken = bytes
    bytes = []
    return taken
  }

  private mutating func value() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func appendDigits(of number: Int64) {
    if number < 0 { bytes.append(UInt8(ascii: "-")) }
    var rest = number.magnitude
    let start = bytes.count
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }

  private mutating func appendEscaped(_ utf8: UnsafeBufferPointer<UInt8>) {
    var begin = 0
    for index in utf8.indices {
      let byte = utf8[index]
      guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
        continue
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[begin..<index]))
      begin = index + 1
      bytes.append(UInt8(ascii: "\\"))
      switch byte {
      case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
      case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
      case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
      case ..<0x20:
        let digits: StaticString = "0123456789abcdef"
        digits.withUTF8Buffer { digits in
          bytes.append(contentsOf: [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")])
          bytes.append(digits[Int(byte >> 4)])
          bytes.append(digits[Int(byte & 15)])
        }
      default: bytes.append(byte)
      }
    }
    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[begin...]))
  }
}

extension JSON {
  /// This value as compact JSON.
  public var compactText: String {
    var writer = JSONWriter()
    writer.json(self)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
