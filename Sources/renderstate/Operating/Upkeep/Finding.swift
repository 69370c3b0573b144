internal import JSON

/// Something that was examined, and what came of it.
struct Finding: Sendable {
  enum Level: String, Sendable {
    case ok
    /// Worth knowing; nothing is wrong.
    case note
    case problem
  }

  let level: Level
  let message: String
  /// What to do.
  let advice: String?

  static func ok(_ message: String) -> Finding {
    Finding(level: .ok, message: message, advice: nil)
  }

  static func note(_ message: String, _ advice: String) -> Finding {
    Finding(level: .note, message: message, advice: advice)
  }

  static func problem(_ message: String, _ advice: String) -> Finding {
    Finding(level: .problem, message: message, advice: advice)
  }

  func write(to writer: inout JSONWriter, check: String) {
    writer.beginObject()
    writer.key("check")
    writer.string(check)
    writer.key("level")
    writer.string(level.rawValue)
    writer.key("message")
    writer.string(message)
    writer.key("advice")
    writer.string(advice)
    writer.endObject()
  }
}

extension Paint.Style {
  init(level: Finding.Level) {
    switch level {
    case .ok: self = .green
    case .note: self = .yellow
    case .problem: self = .red
    }
  }
}
