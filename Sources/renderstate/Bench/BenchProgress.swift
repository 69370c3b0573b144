internal import Foundation
internal import Glibc
internal import Synchronization

/// How far the bench is, on stderr: a bar on a terminal, a line for each step elsewhere.
final class BenchProgress: Sendable {
  private static let interval: TimeInterval = 0.1

  private let isLive = Terminal.errors.canDraw
  private let paint = Paint.wanted(on: .errors)
  /// The time for one measure, in nanoseconds.
  private let share: Double
  private let state = Mutex(State())

  private struct State {
    var title = ""
    /// How many measures are done, and how many the step has that began at this time.
    var done = 0
    var measures = 0
    var began: UInt64 = 0
    var isSettled = false
  }

  init(milliseconds: Int64) {
    share = Double(milliseconds) * 1e6 / Double(BenchMeasure.allCases.count)
    guard isLive else { return }
    Thread.detachNewThread { [weak self] in
      while let self, self.draw() { Thread.sleep(forTimeInterval: Self.interval) }
    }
  }

  func begin(_ title: String, measures: Int) {
    state.withLock { state in
      state.title = title
      state.done += state.measures
      state.measures = measures
      state.began = BenchWindow.now
      guard !isLive, !state.isSettled else { return }
      StandardErrorLog.write("\(Int(percent(of: Double(state.done)))) % \(title)")
    }
  }

  /// Takes the bar away.
  func settle() {
    state.withLock { state in
      state.isSettled = true
      if isLive { _ = writeText("\r\u{1B}[K\u{1B}[?25h", to: STDERR_FILENO) }
    }
  }

  /// Returns whether there is more to come.
  private func draw() -> Bool {
    state.withLock { state in
      guard !state.isSettled else { return false }
      guard state.measures > 0 else { return true }
      let running = min(Double(BenchWindow.now - state.began) / share, Double(state.measures))
      let title = state.title.padded(to: 24)
      // There is room for ^C, or it would break the line.
      let width = min(48, Terminal.errors.size.columns - 3 - title.count)
      let bar = paint.bar(percent(of: Double(state.done) + running), width: width, .cyan)
      _ = writeText("\r\u{1B}[?25l\(title)\(bar)\u{1B}[K", to: STDERR_FILENO)
      return true
    }
  }

  private func percent(of measures: Double) -> Double {
    100 * measures / Double(BenchMeasure.allCases.count)
  }
}
