internal import Glibc
internal import Synchronization

/// Plain lines, for files, pipes and terminals that cannot move the cursor.
final class PlainScreen: Screen {
  /// Progress is told in such steps: a line for every report would be noise.
  private static let step = 25

  private let paint = Paint(isOn: false)
  private let steps = Mutex<[String: Int]>([:])
  private let onHangUp: @Sendable () -> Void

  /// `onHangUp` is called where nobody reads the output any more.
  init(onHangUp: @escaping @Sendable () -> Void) {
    self.onHangUp = onHangUp
  }

  func show(_ change: StatusChange) {
    let isNews = steps.withLock { steps in
      let step = change.percent / Self.step
      defer { steps[change.id] = step }
      return change.event != "progress" || change.previousState != change.state
        || step > steps[change.id] ?? 0
    }
    if isNews { print([EventLine(change).text(width: nil, paint)]) }
  }

  func tell(_ text: String, of id: String) {
    print([EventLine(note: text, of: id).text(width: nil, paint)])
  }

  func settle() {}

  func print(_ lines: [String]) {
    let text = lines.map { $0 + "\n" }.joined()
    if !writeText(text, to: STDOUT_FILENO) { onHangUp() }
  }
}
