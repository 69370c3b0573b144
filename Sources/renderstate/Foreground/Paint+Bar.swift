extension Paint {
  /// A bar of exactly this width, with its percentage.
  func bar(_ percent: Double, width: Int, _ style: Style) -> String {
    let number = " \(Int(percent.rounded()))".paddedLeft(to: 4) + " %"
    let cells = width - number.count
    let halves = Int((percent / 100 * Double(cells * 2)).rounded())
    let done = String(repeating: "━", count: halves / 2) + (halves % 2 == 1 ? "╸" : "")
    let left = String(repeating: "─", count: cells - done.count)
    return self(done, style) + self(left, .dim) + number
  }
}
