import Foundation
import JSON
import Testing

/// Foundation reads the same texts and finds the same values, and the same in what we write, but for the
/// differences listed here.
///
/// `RENDERSTATE_JSON_TEXTS` sets how many texts that are, 200,000 without it.
///
/// Only these are known, and any other fails the test:
/// - It lets a comma stand behind the last element; RFC 8259 does not.
/// - It skips a byte order mark, and takes a text with a NUL among its first four bytes for UTF-16
///   or UTF-32.
/// - It refuses a number that no double holds; here it is infinite, and the caller refuses it.
/// - It drops U+FEFF from some places inside strings.
/// - It joins keys that are canonically equivalent.
/// - It makes long numbers decimals, which are not always the nearest double.
/// - It knows no -0 without a fraction.
@Suite("Agreement with Foundation")
struct FoundationAgreementTests {
  private static let seeds = 1...8
  private static let textsPerSeed: Int = {
    let wanted = ProcessInfo.processInfo.environment["RENDERSTATE_JSON_TEXTS"].flatMap(Int.init)
    return (wanted ?? 200_000) / seeds.count
  }()

  @Test(
    "generated texts get the same verdict and the same values, read and written",
    arguments: seeds
  )
  func generatedTexts(seed: Int) {
    var texts = TextGenerator(seed: UInt64(seed))
    var accepted = 0
    var refused = 0
    for number in 0..<Self.textsPerSeed {
      let text = texts.next()
      let ours = try? JSON(reading: text)
      let theirs = try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
      let agree: Bool
      switch (ours, theirs) {
      case (let ours?, let theirs?):
        accepted += 1
        agree = text.contains(byteOrderMark) || isSame(ours, theirs) && isSameWritten(ours)
      case (let ours?, nil):
        agree = !ours.isRepresentable
      case (nil, _?):
        agree = isGuessedEncoding(text) || !isRefused(withoutTrailingCommas(text))
      case (nil, nil):
        refused += 1
        agree = true
      }
      #expect(agree, "text \(number) of seed \(seed): \(String(decoding: text, as: UTF8.self))")
    }
    // Texts of only one kind would prove little.
    #expect(accepted > Self.textsPerSeed / 5)
    #expect(refused > Self.textsPerSeed / 5)
  }

  @Test("Foundation reads otherwise where the contract is strict, which is why a reader is here")
  func reasonsForAReader() throws {
    func decoded<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
      try JSONDecoder().decode(type, from: Data(text.utf8))
    }
    #expect(try decoded([String: Int].self, #"{"a":1,"a":2}"#) == ["a": 1])
    #expect(try decoded([String: Int].self, "{\"\u{E9}\":1,\"e\u{301}\":2}").count == 1)
    #expect(try decoded([Int].self, "\u{FEFF}[1,]") == [1])
    #expect(try JSONDecoder().decode(Int.self, from: Data([0x31, 0x00])) == 1)

    func boxed(_ text: String) throws -> Any {
      try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    }
    #expect(try (boxed("-0") as? NSNumber)?.doubleValue.sign == .plus)
    #expect(try boxed("\"\u{FEFF}a\"") as? String == "a")
    let long = "2749522233351001142777228.006E-70"
    #expect(try (boxed(long) as? NSNumber)?.doubleValue != 2.749522233351001e-46)
    #expect(try JSON(reading: long).double == 2.749522233351001e-46)
  }
}

private let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

/// Whether Foundation takes the text for something else than plain UTF-8.
private func isGuessedEncoding(_ text: [UInt8]) -> Bool {
  text.prefix(4).contains(0) || text.starts(with: byteOrderMark)
    || text.starts(with: [0xFE, 0xFF]) || text.starts(with: [0xFF, 0xFE])
}

/// The text without commas that stand, outside of strings, before a closing bracket or brace.
private func withoutTrailingCommas(_ text: [UInt8]) -> [UInt8] {
  var kept: [UInt8] = []
  var isInString = false
  var isEscaped = false
  for byte in text {
    if isInString {
      isInString = isEscaped || byte != UInt8(ascii: "\"")
      isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
    } else if byte == UInt8(ascii: "\"") {
      isInString = true
    } else if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
      let end = kept.lastIndex { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
      if let end, kept[end] == UInt8(ascii: ",") { kept.remove(at: end) }
    }
    kept.append(byte)
  }
  return kept
}

private func isSame(_ ours: JSON, _ theirs: Any) -> Bool {
  switch ours {
  case .null:
    return theirs is NSNull
  case .bool(let flag):
    return (theirs as? NSNumber).map { isBoolean($0) && $0.boolValue == flag } ?? false
  case .integer(let value):
    return (theirs as? NSNumber).map { !isBoolean($0) && $0.int64Value == value } ?? false
  case .number(let value):
    guard let theirs = theirs as? NSNumber, !isBoolean(theirs) else { return false }
    let error = abs(theirs.doubleValue - value)
    return error == 0 || theirs is NSDecimalNumber && error < abs(value) * 1e-13
  case .string(let text):
    return (theirs as? String).map(text.hasSameBytes) ?? false
  case .array(let elements):
    guard let theirs = theirs as? [Any], theirs.count == elements.count else { return false }
    return zip(elements, theirs).allSatisfy { isSame($0, $1) }
  case .object(let object):
    guard let theirs = theirs as? [String: Any] else { return false }
    // As a dictionary joins them: the last one of equivalent keys stays.
    var ours: [String: JSON] = [:]
    for member in object.members { ours[member.key] = member.value }
    return ours.count == theirs.count
      && ours.allSatisfy { key, value in theirs[key].map { isSame(value, $0) } ?? false }
  }
}

/// Whether Foundation finds our value in what we write of it; what no double holds is never written.
private func isSameWritten(_ ours: JSON) -> Bool {
  let written = Array(ours.compactText.utf8)
  guard ours.isRepresentable, !written.contains(byteOrderMark) else { return true }
  let theirs = try? JSONSerialization.jsonObject(with: Data(written), options: .fragmentsAllowed)
  return theirs.map { isSame(ours, $0) } ?? false
}

private func isBoolean(_ number: NSNumber) -> Bool {
  String(cString: number.objCType) == "c"
}
