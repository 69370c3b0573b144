internal import Foundation
internal import Glibc
internal import Synchronization

/// How far a command is: a bar on stderr where that is a terminal, nothing elsewhere.
final class WorkProgress: Sendable {
  private static let interval: TimeInterval = 0.1

  private let isLive = Terminal.errors.canDraw
  private let paint = Paint.wanted(on: .errors)
  private let state = Mutex(State())

  private struct State {
    var title = ""
    var drawnAt = Date.distantPast
    var isSettled = false
  }

  /// Shows what is being done, and how much of it is done, from 0 to 1; nil where nobody knows.
  func show(_ title: String, _ part: Double? = nil) {
    guard isLive else { return }
    state.withLock { state in
      let now = Date()
      guard !state.isSettled,
        title != state.title || now.timeIntervalSince(state.drawnAt) >= Self.interval
      else { return }
      (state.title, state.drawnAt) = (title, now)
      // There is room for ^C, or it would break the line.
      let width = min(48, Terminal.errors.size.columns - 5 - title.columns)
      let bar = part.map { "  " + paint.bar(100 * $0, width: width, .cyan) } ?? " …"
      _ = writeText("\r\u{1B}[?25l\(title)\(bar)\u{1B}[K", to: STDERR_FILENO)
    }
  }

  /// Takes the bar away.
  func settle() {
    guard isLive else { return }
    state.withLock { state in
      state.isSettled = true
      _ = writeText("\r\u{1B}[K\u{1B}[?25h", to: STDERR_FILENO)
    }
  }
}
