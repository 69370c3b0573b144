/// Writes compact JSON in UTF-8 into a growing buffer.
///
/// The caller keeps the grammar: a member is a `key` and one value, and commas come by themselves.
///
/// The buffer is memory of its own and not an array, which would check at every byte who else has it:
/// that was half the work of an answer.
public struct JSONWriter: ~Copyable {
  /// How many bytes have been written and not taken.
  public private(set) var count = 0
  private(set) var capacity = leastCapacity
  private var start = UnsafeMutablePointer<UInt8>.allocate(capacity: leastCapacity)
  private var needsComma = false

  private static let leastCapacity = 256
  /// A buffer that has grown beyond this is given back when it is taken.
  private static let keptCapacity = 1 << 20

  public init() {}

  deinit {
    start.deallocate()
  }

  /// What has been written so far.
  public var bytes: [UInt8] {
    Array(UnsafeBufferPointer(start: start, count: count))
  }

  // MARK: - Values

  public mutating func beginObject() {
    begin(UInt8(ascii: "{"))
  }

  public mutating func endObject() {
    end(UInt8(ascii: "}"))
  }

  public mutating func beginArray() {
    begin(UInt8(ascii: "["))
  }

  public mutating func endArray() {
    end(UInt8(ascii: "]"))
  }

  /// A key known at compile time that needs no escapes.
  public mutating func key(_ key: StaticString) {
    let size = key.utf8CodeUnitCount
    let place = room(for: size + 4)
    var end = comma(at: place)
    end = put(UInt8(ascii: "\""), at: end)
    (start + end).update(from: key.utf8Start, count: size)
    end = put(UInt8(ascii: "\""), at: end + size)
    count = put(UInt8(ascii: ":"), at: end)
    needsComma = false
  }

  /// A key that may need escapes.
  public mutating func key(escaping key: String) {
    string(key)
    append(UInt8(ascii: ":"))
    needsComma = false
  }

  public mutating func null() {
    word("null")
  }

  public mutating func bool(_ flag: Bool) {
    word(flag ? "true" : "false")
  }

  public mutating func integer(_ number: Int64) {
    let place = room(for: 21)
    var end = comma(at: place)
    if number < 0 { end = put(UInt8(ascii: "-"), at: end) }
    let first = end
    var rest = number.magnitude
    repeat {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      end = put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit), at: end)
      rest = quotient
    } while rest > 0
    var digits = UnsafeMutableBufferPointer(start: start + first, count: end - first)
    digits.reverse()
    count = end
    needsComma = true
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
    var text = text
    text.withUTF8 { string($0) }
  }

  public mutating func string(_ text: String?) {
    if let text { string(text) } else { null() }
  }

  /// A text that needs no escapes, spelled by a body into memory of this size; it returns how many bytes
  /// that took.
  public mutating func string(
    unescaped size: Int,
    _ body: (UnsafeMutableBufferPointer<UInt8>) -> Int
  ) {
    var end = comma(at: room(for: size + 3))
    end = put(UInt8(ascii: "\""), at: end)
    end += body(UnsafeMutableBufferPointer(start: start + end, count: size))
    count = put(UInt8(ascii: "\""), at: end)
    needsComma = true
  }

  /// A text that is compact JSON already.
  public mutating func raw(_ text: String) {
    var text = text
    text.withUTF8 { raw($0) }
  }

  /// Bytes that are compact JSON already.
  public mutating func raw(_ json: [UInt8]) {
    json.withUnsafeBufferPointer { raw($0) }
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
      key(escaping: member.key)
      json(member.value)
    }
    endObject()
  }

  /// Ends a line; what follows is a text of its own.
  public mutating func endLine() {
    append(UInt8(ascii: "\n"))
    needsComma = false
  }

  // MARK: - What has been written

  /// Hands over what has been written so far, and goes on behind it.
  public mutating func take() -> [UInt8] {
    let taken = bytes
    count = 0
    if capacity > Self.keptCapacity { replaceBuffer(capacity: Self.leastCapacity) }
    return taken
  }

  /// A place to come back to, as long as nothing is taken.
  public struct Mark {
    fileprivate let count: Int
    fileprivate let needsComma: Bool
  }

  public var mark: Mark { Mark(count: count, needsComma: needsComma) }

  /// Forgets what has been written since.
  public mutating func rewind(to mark: Mark) {
    precondition(mark.count <= count, "nothing may be taken between a mark and its rewinding")
    count = mark.count
    needsComma = mark.needsComma
  }

  // MARK: - Bytes

  /// Makes room for so many bytes.
  ///
  /// - Returns: where they go.
  private mutating func room(for size: Int) -> Int {
    if count + size > capacity { grow(toHold: count + size) }
    return count
  }

  private mutating func grow(toHold size: Int) {
    var doubled = capacity
    while doubled < size { doubled *= 2 }
    replaceBuffer(capacity: doubled)
  }

  private mutating func replaceBuffer(capacity: Int) {
    let successor = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    successor.update(from: start, count: count)
    start.deallocate()
    start = successor
    self.capacity = capacity
  }

  /// Writes a byte where there is room for it.
  ///
  /// - Returns: the place behind it.
  private func put(_ byte: UInt8, at place: Int) -> Int {
    start[place] = byte
    return place + 1
  }

  private func comma(at place: Int) -> Int {
    needsComma ? put(UInt8(ascii: ","), at: place) : place
  }

  private mutating func append(_ byte: UInt8) {
    count = put(byte, at: room(for: 1))
  }

  private mutating func begin(_ bracket: UInt8) {
    count = put(bracket, at: comma(at: room(for: 2)))
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    append(bracket)
    needsComma = true
  }

  private mutating func word(_ word: StaticString) {
    word.withUTF8Buffer { raw($0) }
  }

  private mutating func raw(_ json: UnsafeBufferPointer<UInt8>) {
    let end = comma(at: room(for: json.count + 1))
    if let first = json.baseAddress { (start + end).update(from: first, count: json.count) }
    count = end + json.count
    needsComma = true
  }

  /// Escapes take six bytes at most.
  private mutating func string(_ utf8: UnsafeBufferPointer<UInt8>) {
    var end = comma(at: room(for: 6 * utf8.count + 3))
    end = put(UInt8(ascii: "\""), at: end)
    var index = 0
    while index < utf8.count {
      let plain = plainBytes(utf8, from: index)
      if plain > 0, let source = utf8.baseAddress {
        (start + end).update(from: source + index, count: plain)
        end += plain
        index += plain
      } else {
        end = put(UInt8(ascii: "\\"), at: end)
        end = putEscaped(utf8[index], at: end)
        index += 1
      }
    }
    count = put(UInt8(ascii: "\""), at: end)
    needsComma = true
  }

  /// How many bytes need no escape from a place on, eight of them looked at in one word.
  private func plainBytes(_ utf8: UnsafeBufferPointer<UInt8>, from place: Int) -> Int {
    let bytes = UnsafeRawBufferPointer(utf8)
    var end = place
    while end + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self)
      guard !hasEscape(word) else { break }
      end += 8
    }
    while end < bytes.count, !needsEscape(bytes[end]) { end += 1 }
    return end - place
  }

  private func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// Whether a byte of the eight needs an escape: one that is less than another has its highest bit set by
  /// the subtraction, if it had not before; one that equals another is zero after the xor.
  private func hasEscape(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    func hasLess(_ word: UInt64, than limit: UInt64) -> UInt64 { (word &- ones * limit) & ~word }
    let quotes = word ^ (ones * UInt64(UInt8(ascii: "\"")))
    let backslashes = word ^ (ones * UInt64(UInt8(ascii: "\\")))
    let marks = hasLess(word, than: 0x20) | hasLess(quotes, than: 1) | hasLess(backslashes, than: 1)
    return marks & (ones << 7) != 0
  }

  /// Writes what follows a backslash.
  private func putEscaped(_ byte: UInt8, at place: Int) -> Int {
    switch byte {
    case UInt8(ascii: "\n"): return put(UInt8(ascii: "n"), at: place)
    case UInt8(ascii: "\r"): return put(UInt8(ascii: "r"), at: place)
    case UInt8(ascii: "\t"): return put(UInt8(ascii: "t"), at: place)
    case ..<0x20:
      var end = place
      for byte in [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")] {
        end = put(byte, at: end)
      }
      end = put(hexadecimalDigit(byte >> 4), at: end)
      return put(hexadecimalDigit(byte & 15), at: end)
    default: return put(byte, at: place)
    }
  }

  private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
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
