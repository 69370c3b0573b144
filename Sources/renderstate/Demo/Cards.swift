/// The renders beside each other, each with its bar.
struct Cards {
  private static let gap = 3
  private static let widest = 48

  let width: Int
  let paint: Paint

  func lines(
    _ cards: [(id: String, change: StatusChange?)]
  ) -> [(text: String, width: Int)] {
    let room = (width - Self.gap * (cards.count - 1)) / cards.count
    let width = min(room, Self.widest)
    let columns = cards.map { card($0.id, $0.change, width) }
    let gap = String(repeating: " ", count: Self.gap)
    let total = width * cards.count + Self.gap * (cards.count - 1)
    let rows = (0..<4).map { row in columns.map { $0[row] }.joined(separator: gap) }
    return [("", 0)] + rows.map { ($0, total) }
  }

  /// Four lines, each exactly so wide.
  private func card(_ id: String, _ change: StatusChange?, _ width: Int) -> [String] {
    let attempt = change.map { "attempt \($0.attempt)" } ?? ""
    let title = paint(id, .bold) + paint(attempt.paddedLeft(to: width - id.count), .dim)
    guard let change else {
      let bar = paint.bar(0, width: width, .dim)
      return [title, bar, fit("idle", width, .dim), fit("", width, .plain)]
    }
    let style = Paint.Style(state: change.state)
    let actor = change.actor.map { " · \($0)" } ?? ""
    let state =
      paint(change.state, style)
      + fit(actor, width - change.state.count, .dim)
    let bar = paint.bar(change.progress, width: width, style)
    return [title, bar, state, fit(change.outcome, width, .dim)]
  }

  private func fit(_ text: String, _ width: Int, _ style: Paint.Style) -> String {
    paint(text.cut(to: width).padded(to: width), style)
  }
}
