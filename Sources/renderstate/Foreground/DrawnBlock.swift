/// Lines at the bottom of a terminal that are drawn over in place, below others that stay.
struct DrawnBlock: Sendable {
  /// A line, and how many columns it takes without its colours.
  typealias Line = (text: String, width: Int)

  /// The widths of the lines that stand there.
  private var drawn: [Int] = []

  /// What draws the lines anew, with others above them, to be written at once so that nothing
  /// flickers.
  mutating func redrawing(_ lines: [Line], below staying: [String], columns: Int) -> String {
    // A window that has become narrower has broken the lines that were drawn.
    let rows = drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
    var text = rows > 0 ? "\r\u{1B}[\(rows)A" : ""
    if !staying.isEmpty { text += "\u{1B}[J" }
    for line in staying { text += line + "\n" }
    for line in lines { text += line.text + "\u{1B}[K\n" }
    drawn = lines.map(\.width)
    return text + "\u{1B}[J"
  }
}
