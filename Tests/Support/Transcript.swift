internal import Foundation
internal import JSON

/// Something that transcripts are played against: a sidecar, however it is run.
public protocol TranscriptTarget {
  /// Starts on the story's database, with further arguments of `serve`.
  func start(_ arguments: [String]) throws
  /// Writes bytes as they are.
  func send(_ bytes: [UInt8]) throws
  /// The next line; nil when none will come.
  func receive() throws -> String?
  /// Ends it at once, and drops what it has written.
  func kill() throws
  /// Ends its input, and waits until it has ended.
  ///
  /// - Throws: if it does not end well.
  func end() throws
}

/// A golden conversation out of `protocol/transcripts`; its README describes the format.
public struct Transcript: Sendable, CustomStringConvertible {
  public let name: String
  private let steps: [(line: Int, step: Step)]
  private let arguments: [String]

  private enum Step: Sendable {
    case send(JSON)
    case sendBytes([UInt8])
    case receive(JSON)
    case kill
    case end
  }

  /// Every story there is, by name.
  public static func all() throws -> [Transcript] {
    let folder = Repository.root.appending(path: "protocol/transcripts")
    let files = try FileManager.default.contentsOfDirectory(
      at: folder,
      includingPropertiesForKeys: nil
    )
    return try files.filter { $0.pathExtension == "jsonl" }
      .sorted { $0.lastPathComponent < $1.lastPathComponent }
      .map(Transcript.init(file:))
  }

  private init(file: URL) throws {
    name = file.deletingPathExtension().lastPathComponent
    var steps: [(line: Int, step: Step)] = []
    var arguments: [String] = []
    let text = try String(contentsOf: file, encoding: .utf8)
    for (index, line) in text.split(separator: "\n").enumerated() {
      let place = "\(name):\(index + 1)"
      guard case .object(let object) = try JSON(reading: String(line)),
        let member = object.members.first, object.members.count == 1
      else { throw Unexpected("\(place): a line has one key") }
      guard (member.key == "story") == (index == 0) else {
        throw Unexpected("\(place): a story begins with its sentence, and has one")
      }
      switch (member.key, member.value) {
      case ("story", .string), ("note", .string): break
      case ("start", .array(let given)) where index == 1: arguments = given.compactMap(\.string)
      case ("send", let message): steps.append((index + 1, .send(message)))
      case ("sendRaw", .string(let text)): steps.append((index + 1, .sendBytes(Array(text.utf8))))
      case ("sendBytes", .string(let text)):
        guard let bytes = Data(base64Encoded: text) else { throw Unexpected("\(place): no base64") }
        steps.append((index + 1, .sendBytes(Array(bytes))))
      case ("receive", let pattern): steps.append((index + 1, .receive(pattern)))
      case ("restart", .string("kill")): steps.append((index + 1, .kill))
      case ("restart", .string("eof")): steps.append((index + 1, .end))
      default: throw Unexpected("\(place): there is no such step")
      }
    }
    self.steps = steps
    self.arguments = arguments
  }

  public var description: String { name }

  /// Plays the story from its beginning to its end.
  ///
  /// - Throws: where it goes otherwise, and how.
  public func play(on target: some TranscriptTarget) throws {
    var captures = Captures()
    try target.start(arguments)
    for (line, step) in steps {
      do {
        try play(step, on: target, &captures)
      } catch {
        throw Unexpected("\(name).jsonl, line \(line): \(error)")
      }
    }
    try end(target)
  }

  private func play(
    _ step: Step,
    on target: some TranscriptTarget,
    _ captures: inout Captures
  ) throws {
    switch step {
    case .send(let message):
      try target.send(Array(try captures.filled(message).compactText.utf8) + [UInt8(ascii: "\n")])
    case .sendBytes(let bytes):
      try target.send(bytes + [UInt8(ascii: "\n")])
    case .receive(let pattern):
      guard let line = try target.receive() else { throw Unexpected("the sidecar has ended") }
      let received = try JSON(reading: line)
      guard captures.match(received, pattern) else {
        throw Unexpected("expected \(pattern), got \(received)")
      }
    case .kill:
      try target.kill()
      try target.start(arguments)
    case .end:
      try end(target)
      try target.start(arguments)
    }
  }

  private func end(_ target: some TranscriptTarget) throws {
    try target.end()
    if let line = try target.receive() { throw Unexpected("\(name): left at the end: \(line)") }
  }
}

/// What a story has remembered, and how it is compared.
private struct Captures {
  private var texts: [String: String] = [:]

  /// The message with what was remembered in the places of its placeholders.
  func filled(_ message: JSON) throws -> JSON {
    var text = message.compactText
    for (name, value) in texts {
      text = text.replacingOccurrences(of: quoted("<\(name)>"), with: quoted(value))
    }
    return try JSON(reading: text)
  }

  /// Whether a message matches a pattern; remembers what the pattern names.
  mutating func match(_ message: JSON, _ pattern: JSON) -> Bool {
    switch (pattern, message) {
    case (.string(let text), _) where text.hasPrefix("<") && text.hasSuffix(">"):
      return match(message, placeholder: String(text.dropFirst().dropLast()))
    case (.array(let patterns), .array(let elements)):
      guard patterns.count == elements.count else { return false }
      for (pattern, element) in zip(patterns, elements) where !match(element, pattern) {
        return false
      }
      return true
    case (.object(let patterns), .object(let object)):
      guard patterns.members.count == object.members.count else { return false }
      for pattern in patterns.members {
        guard let value = object[pattern.key], match(value, pattern.value) else { return false }
      }
      return true
    default:
      return message == pattern
    }
  }

  private mutating func match(_ message: JSON, placeholder: String) -> Bool {
    switch placeholder {
    case "any":
      return true
    case "time":
      return message.string?.wholeMatch(
        of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z/
      ) != nil
    case "text":
      return message.string?.isEmpty == false
    case "integer":
      return message.double.map { $0 == $0.rounded() } ?? false
    case "number":
      return message.double != nil
    case _ where placeholder.hasPrefix("text:"):
      guard let text = message.string, !text.isEmpty else { return false }
      texts[String(placeholder.dropFirst("text:".count))] = text
      return true
    default:
      return message.string != nil && message.string == texts[placeholder]
    }
  }
}
