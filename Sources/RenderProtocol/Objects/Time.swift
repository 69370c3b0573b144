internal import Glibc
internal import JSON
public import RenderModel

extension JSONWriter {
  /// A moment as ISO 8601 in UTC with milliseconds, or null.
  mutating func time(_ timestamp: Timestamp?) {
    guard let timestamp else { return null() }
    string(unescaped: Timestamp.iso8601Size, timestamp.spellISO8601)
  }
}

extension Timestamp {
  /// Like `2026-11-22T19:00:00.000Z`; years beyond 0 to 9999 are shown as these.
  public var iso8601: String {
    String(unsafeUninitializedCapacity: Self.iso8601Size, initializingUTF8With: spellISO8601)
  }

  fileprivate static let iso8601Size = 24

  /// - Returns: how many bytes it has.
  fileprivate func spellISO8601(into text: UnsafeMutableBufferPointer<UInt8>) -> Int {
    let second = Self.years.clamp(milliseconds).quotientAndRemainder(dividingBy: 1_000)
    let millisecond = second.remainder < 0 ? second.remainder + 1_000 : second.remainder
    var seconds = time_t(second.quotient - (second.remainder < 0 ? 1 : 0))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var end = 0
    func put(_ number: Int, digits: Int, then separator: Unicode.Scalar) {
      var rest = number
      for place in (end..<(end + digits)).reversed() {
        text[place] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      }
      text[end + digits] = UInt8(ascii: separator)
      end += digits + 1
    }
    put(Int(parts.tm_year) + 1_900, digits: 4, then: "-")
    put(Int(parts.tm_mon) + 1, digits: 2, then: "-")
    put(Int(parts.tm_mday), digits: 2, then: "T")
    put(Int(parts.tm_hour), digits: 2, then: ":")
    put(Int(parts.tm_min), digits: 2, then: ":")
    put(Int(parts.tm_sec), digits: 2, then: ".")
    put(Int(millisecond), digits: 3, then: "Z")
    return end
  }

  /// The milliseconds of the years that four digits show.
  private static let years: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
}

extension ClosedRange {
  fileprivate func clamp(_ value: Bound) -> Bound {
    Swift.min(Swift.max(value, lowerBound), upperBound)
  }
}
