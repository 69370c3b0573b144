internal import Foundation
internal import Glibc

/// What a stream is, as far as drawing goes.
struct Terminal {
  static let output = Terminal(descriptor: STDOUT_FILENO)
  static let errors = Terminal(descriptor: STDERR_FILENO)

  /// The least in which three bars find room beside each other.
  static let leastColumns = 58
  private static let leastRows = 10

  let descriptor: Int32

  /// Whether something can be drawn in place.
  var canDraw: Bool {
    guard isatty(descriptor) != 0 else { return false }
    switch ProcessInfo.processInfo.environment["TERM"] {
    case nil, "", "dumb": return false
    default: return size.columns >= Self.leastColumns && size.rows >= Self.leastRows
    }
  }

  /// What lines should not be longer than; nil where they may be as long as they come.
  var columnsIfDrawing: Int? { canDraw ? size.columns : nil }

  /// As it is now: windows are resized.
  var size: (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0
    else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }
}

/// As `writeAll`, for a text.
func writeText(_ text: String, to descriptor: Int32) -> Bool {
  writeAll(Array(text.utf8)[...], to: descriptor)
}

/// Colours, or nothing where none are wanted.
struct Paint: Sendable {
  enum Style: String {
    case plain = ""
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
  }

  let isOn: Bool

  /// For a terminal whose user has not said NO_COLOR (no-color.org).
  static func wanted(on terminal: Terminal) -> Paint {
    let noColor = ProcessInfo.processInfo.environment["NO_COLOR"] ?? ""
    return Paint(isOn: terminal.canDraw && noColor.isEmpty)
  }

  func callAsFunction(_ text: String, _ style: Style) -> String {
    isOn && style != .plain && !text.isEmpty ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }
}

extension Paint.Style {
  init(state: String) {
    switch state {
    case "queued": self = .yellow
    case "rendering": self = .cyan
    case "completed": self = .green
    case "failed": self = .red
    default: self = .plain
    }
  }
}

extension String {
  /// How many columns it takes on a terminal.
  var columns: Int { reduce(0) { $0 + $1.columns } }

  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - columns))
  }

  func paddedLeft(to width: Int) -> String {
    String(repeating: " ", count: max(0, width - columns)) + self
  }

  /// Cut with an ellipsis where it is longer.
  func cut(to width: Int) -> String {
    guard columns > width else { return self }
    var room = width - 1
    let fitting = prefix { character in
      room -= character.columns
      return room >= 0
    }
    return fitting + "…"
  }
}

extension Character {
  /// Two for what East Asian typography and emoji make wide (unicode.org/reports/tr11).
  fileprivate var columns: Int {
    guard let scalar = unicodeScalars.first, scalar.value >= 0x1100 else { return 1 }
    if scalar.properties.isEmojiPresentation { return 2 }
    return Self.wide.contains { $0.contains(scalar.value) } ? 2 : 1
  }

  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
    0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD,
  ]
}
