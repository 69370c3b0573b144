import Foundation
import Testing

/// A committed text that a test compares with what the program says.
enum Golden {
  /// Expects the text of a file beside this one; with RENDERSTATE_REGENERATE=1 the file is written
  /// instead.
  static func expect(
    _ text: String,
    in name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: name)
    if ProcessInfo.processInfo.environment["RENDERSTATE_REGENERATE"] == "1" {
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    let expected = try? String(contentsOf: file, encoding: .utf8)
    #expect(text == expected, "\(name)", sourceLocation: sourceLocation)
  }
}
