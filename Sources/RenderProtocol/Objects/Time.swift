internal import Glibc
internal import JSON
internal import RenderModel

extension JSONWriter {
  /// A moment as ISO 8601 in UTC with milliseconds, or null.
  mutating func time(_ timestamp: Timestamp?) {
    guard let timestamp else {
      null()
      return
    }
    string(timestamp.iso8601)
  }
}

extension Timestamp {
  /// Like `2026-11-22T19:00:00.000Z`.
  var iso8601: String {
    let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
    let isBeforeSecond = remainder < 0
    var seconds = time_t(quotient - (isBeforeSecond ? 1 : 0))
    let millisecond = Int(isBeforeSecond ? remainder + 1_000 : remainder)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = ""
    text.reserveCapacity(24)
    func append(_ number: Int, digits: Int) {
      let digitsText = String(number)
      for _ in digitsText.utf8.count..<max(digits, digitsText.utf8.count) { text += "0" }
      text += digitsText
    }
    append(Int(parts.tm_year) + 1_900, digits: 4)
    text += "-"
    append(Int(parts.tm_mon) + 1, digits: 2)
    text += "-"
    append(Int(parts.tm_mday), digits: 2)
    text += "T"
    append(Int(parts.tm_hour), digits: 2)
    text += ":"
    append(Int(parts.tm_min), digits: 2)
    text += ":"
    append(Int(parts.tm_sec), digits: 2)
    text += "."
    append(millisecond, digits: 3)
    text += "Z"
    return text
  }
}
