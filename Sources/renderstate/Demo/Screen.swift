/// Where the demo is shown; called from several threads.
protocol Screen: Sendable {
  /// Shows what a `status` notification told.
  func show(_ change: StatusChange)
  /// Tells what no notification tells.
  func tell(_ text: String, of id: String)
  /// Ends what moves: lines follow below it.
  func settle()
  func print(_ lines: [String])
}

/// A line of what happens: when, to which render, and what.
struct EventLine {
  private let time: String
  private let id: String
  private let state: String
  private let text: String

  init(_ change: StatusChange) {
    time = String(change.timeOfDay.prefix(8))
    id = change.id
    state = change.state
    text =
      switch change.event {
      case "start": "attempt \(change.attempt), \(change.renderID ?? "")"
      case "progress": "\(change.percent) %"
      default: change.outcome
      }
  }

  /// What no notification tells.
  init(note: String, of id: String) {
    time = ""
    self.id = id
    state = ""
    text = note
  }

  func text(width: Int?, _ paint: Paint) -> String {
    let columns = [
      paint(time.padded(to: 8), .dim), paint(id.padded(to: 7), .bold),
      paint(state.padded(to: 9), Paint.Style(state: state)),
    ]
    let left = 8 + 7 + 9 + 3 * 2
    let rest = state.isEmpty ? 9 + 2 : 0
    let cut = text.cut(to: width.map { $0 - left + rest } ?? .max)
    return (state.isEmpty ? columns.dropLast() : columns).joined(separator: "  ") + "  " + cut
  }
}
