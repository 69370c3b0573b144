internal import RenderModel
internal import RenderProtocol

/// How things are shown to people.
struct Presentation: Sendable {
  let paint: Paint
  let times: TimeForm
  /// What lines should not be longer than; nil where they may be as long as they come.
  let width: Int?
}

/// How a moment is told.
enum TimeForm: Sendable {
  /// By how long it is ago, or ahead, of this one.
  case ago(from: Timestamp)
  /// ISO 8601.
  case utc

  private static let units: [(name: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000),
  ]

  func text(_ moment: Timestamp) -> String {
    guard case .ago(let now) = self else { return moment.iso8601 }
    let elapsed = now.milliseconds(since: moment)
    let unit = Self.units.first { elapsed.magnitude >= $0.milliseconds.magnitude }
    guard let unit else { return "now" }
    let span = "\(elapsed.magnitude / unit.milliseconds.magnitude) \(unit.name)"
    return elapsed < 0 ? "in \(span)" : "\(span) ago"
  }
}

extension String {
  /// The text with a picture in the place of each control character: whatever an error or an id
  /// holds, it stays in its line and does nothing to the terminal.
  var printable: String {
    guard unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      return self
    }
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      switch scalar.value {
      case ..<0x20: text.append(Unicode.Scalar(0x2400 + scalar.value) ?? scalar)
      case 0x7F...0x9F: text.append("\u{FFFD}")
      default: text.append(scalar)
      }
    }
    return String(text)
  }
}
