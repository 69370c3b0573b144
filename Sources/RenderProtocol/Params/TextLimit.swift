/// The bounds of texts on the wire, in UTF-8 bytes.
enum TextLimit {
  static let identifierBytes = 200
  static let videoURLBytes = 2_048
  static let errorBytes = 8_192

  /// Whether a text has one of U+0000 to U+001F and U+007F to U+009F.
  static func hasControlCharacter(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { utf8 in
      for (index, byte) in utf8.enumerated() {
        if byte < 0x20 || byte == 0x7F { return true }
        // U+0080 to U+009F are C2 80 to C2 9F in UTF-8.
        if byte == 0xC2, utf8[index + 1] < 0xA0 { return true }
      }
      return false
    }
  }

  /// An error text within its bound: longer ones are cut at a code point and end in "…".
  static func cutError(_ text: String) -> String {
    guard text.utf8.count > errorBytes else { return text }
    let ellipsis = "…"
    var end = text.utf8.index(text.startIndex, offsetBy: errorBytes - ellipsis.utf8.count)
    while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    return String(text.unicodeScalars[..<end]) + ellipsis
  }
}
