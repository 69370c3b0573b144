internal import ArgumentParser
internal import Glibc
internal import JSON

/// Where a command's results go: stdout, as lines for people or as JSON, an object a line.
struct CommandOutput {
  /// So many bytes are written at once.
  private static let portion = 1 << 16

  let isJSON: Bool
  let presentation: Presentation

  init(isJSON: Bool, presentation: Presentation) {
    self.isJSON = isJSON
    self.presentation = presentation
    // Whoever closes the other end, as `head` does, ends the command and not the process.
    signal(SIGPIPE, SIG_IGN)
  }

  /// For what has neither colours nor times nor columns.
  init(isJSON: Bool) {
    self.init(
      isJSON: isJSON,
      presentation: Presentation(paint: Paint(isOn: false), times: .utc, width: nil)
    )
  }

  func print(_ lines: [String]) throws {
    try write(Array(lines.map { $0 + "\n" }.joined().utf8))
  }

  /// Prints what has to be told beside a line on stderr, for people, there.
  func explain(_ lines: (Presentation) -> [String]) {
    let presentation = Presentation(
      paint: .wanted(on: .errors),
      times: presentation.times,
      width: Terminal.errors.columnsIfDrawing
    )
    _ = writeText(lines(presentation).map { $0 + "\n" }.joined(), to: STDERR_FILENO)
  }

  /// Prints each value as JSON in a line of its own.
  func print<Values: Sequence>(
    json values: Values,
    _ write: (Values.Element, inout JSONWriter) -> Void
  ) throws {
    var writer = JSONWriter()
    for value in values {
      write(value, &writer)
      writer.endLine()
      if writer.count >= Self.portion { try self.write(writer.take()) }
    }
    try self.write(writer.take())
  }

  /// - Throws: the exit code where nobody reads any more.
  private func write(_ bytes: [UInt8]) throws {
    guard writeAll(bytes[...], to: STDOUT_FILENO) else { throw ExitCode.unread }
  }
}

extension ExitCode {
  /// The answer is no: never started, refused, failed.
  static let no = ExitCode(2)

  /// Nobody reads the output any more, as a shell says it of a process that SIGPIPE has ended.
  static let unread = ExitCode(128 + SIGPIPE)
}
