internal import ArgumentParser
internal import Glibc
internal import JSON
internal import RenderModel
internal import Synchronization

/// Bars for the active renders at the bottom of a terminal; what happens to them runs by above.
final class WatchBars: WatchScreen {
  private static let widestID = 32

  private let form: WatchLine.Form
  /// Whether a render stays when it is not active any more.
  private let keepsEnded: Bool
  private let state = Mutex(State())

  private struct State {
    var bars: [WatchBar] = []
    var places: [ExactText: Int] = [:]
    var block = DrawnBlock()
    var isLive = true
  }

  init(form: WatchLine.Form, keepsEnded: Bool) {
    self.form = form
    self.keepsEnded = keepsEnded
  }

  func begin(with renders: [Render]) throws {
    try state.withLock { state in
      for render in renders where state.places[ExactText(render.id)] == nil {
        state.places[ExactText(render.id)] = state.bars.count
        let note = render.error ?? render.videoURL ?? ""
        state.bars.append(
          WatchBar(id: render.id, state: render.state, progress: render.progress, note: note)
        )
      }
      try write("\u{1B}[?25l")
      try draw(&state, below: [])
    }
  }

  func show(_ changes: [(change: Change, isNews: Bool)]) throws {
    let width = Terminal.output.size.columns - 1
    try state.withLock { state in
      for (change, _) in changes { take(change, &state) }
      // Bars tell of progress.
      let lines = changes.filter { $0.isNews && $0.change.previousState != $0.change.state }
      try draw(&state, below: lines.map { WatchLine($0.change).text(form, width: width) })
    }
  }

  func settle() {
    state.withLock { state in
      state.isLive = false
      // The terminal may have written ^C.
      _ = writeText("\r\u{1B}[K\u{1B}[?25h", to: STDOUT_FILENO)
    }
  }

  private func take(_ change: Change, _ state: inout State) {
    let id = ExactText(change.id)
    let note = change.error ?? change.videoURL ?? change.actor ?? ""
    let bar = WatchBar(id: change.id, state: change.state, progress: change.progress, note: note)
    if let place = state.places[id] {
      state.bars[place] = bar
      guard !keepsEnded, !change.state.isActive else { return }
      state.bars.remove(at: place)
      state.places[id] = nil
      for later in state.bars[place...] { state.places[ExactText(later.id)]? -= 1 }
    } else if change.state.isActive {
      state.places[id] = state.bars.count
      state.bars.append(bar)
    }
  }

  // MARK: - Drawing

  private func draw(_ state: inout State, below staying: [String]) throws {
    guard state.isLive else { return }
    let size = Terminal.output.size
    // Some lines of what has happened stay to be seen.
    let room = max(1, size.rows - 5)
    // The last column stays free: some terminals break a line that fills it.
    let width = size.columns - 1
    let ids = state.bars.prefix(room).map { $0.id.printable.columns }
    let idWidth = min(ids.max() ?? 0, Self.widestID)
    var lines = state.bars.prefix(room).map { $0.line(width, idWidth: idWidth, form.paint) }
    func add(_ note: String) { lines.append((form.paint(note, .dim), note.columns)) }
    if state.bars.count > room { add("and \(state.bars.count - room) more") }
    if state.bars.isEmpty { add("no active renders; Ctrl-C ends the watch") }
    try write(state.block.redrawing(lines, below: staying, columns: size.columns))
  }

  private func write(_ text: String) throws {
    guard writeText(text, to: STDOUT_FILENO) else { throw ExitCode.unread }
  }
}

/// What is drawn of a render.
struct WatchBar: Sendable {
  private static let widest = 40

  let id: String
  let state: State
  let progress: Double
  let note: String

  /// A line that is no longer than the width.
  func line(_ width: Int, idWidth: Int, _ paint: Paint) -> DrawnBlock.Line {
    let style = Paint.Style(state: state.rawValue)
    let name = id.printable.cut(to: idWidth).padded(to: idWidth)
    let state = state.rawValue.padded(to: 9)
    let barWidth = min(Self.widest, max(10, width - idWidth - state.count - 4))
    let used = idWidth + barWidth + state.count + 4
    let room = width - used - 2
    let end = room > 0 ? "  " + note.printable.cut(to: room) : ""
    let text =
      paint(name, .bold) + "  " + paint.bar(progress, width: barWidth, style) + "  "
      + paint(state, style) + paint(end, .dim)
    return (text, used + end.columns)
  }
}
