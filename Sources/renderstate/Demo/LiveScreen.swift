internal import Glibc
internal import Synchronization

/// Bars beside each other, drawn in place; what happens to the renders runs by above them.
final class LiveScreen: Screen {
  private let paint = Paint.wanted(on: .output)
  private let state: Mutex<State>
  private let onHangUp: @Sendable () -> Void

  private struct State {
    var cards: [(id: String, change: StatusChange?)]
    var block = DrawnBlock()
    var isLive = true
  }

  /// `onHangUp` is called where nobody reads the output any more.
  init(ids: [String], onHangUp: @escaping @Sendable () -> Void) {
    state = Mutex(State(cards: ids.map { ($0, nil) }))
    self.onHangUp = onHangUp
    write("\u{1B}[?25l")
  }

  func show(_ change: StatusChange) {
    state.withLock { state in
      guard let index = state.cards.firstIndex(where: { $0.id == change.id }) else { return }
      state.cards[index].change = change
      draw(&state, above: change.event == "progress" ? nil : EventLine(change))
    }
  }

  func tell(_ text: String, of id: String) {
    state.withLock { draw(&$0, above: EventLine(note: text, of: id)) }
  }

  func settle() {
    state.withLock { state in
      guard state.isLive else { return }
      state.isLive = false
      write("\u{1B}[?25h")
    }
  }

  func print(_ lines: [String]) {
    write(lines.map { $0 + "\n" }.joined())
  }

  /// Draws the bars anew, below a line that stays.
  private func draw(_ state: inout State, above line: EventLine?) {
    guard state.isLive else { return }
    let columns = Terminal.output.size.columns
    let staying = line.map { [$0.text(width: columns - 1, paint)] } ?? []
    // The last column stays free: some terminals break a line that fills it.
    let width = max(columns, Terminal.leastColumns) - 1
    let cards = Cards(width: width, paint: paint).lines(state.cards)
    write(state.block.redrawing(cards, below: staying, columns: columns))
  }

  private func write(_ text: String) {
    if !writeText(text, to: STDOUT_FILENO) { onHangUp() }
  }
}
