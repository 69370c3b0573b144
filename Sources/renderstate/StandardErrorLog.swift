internal import ArgumentParser
internal import Glibc
internal import JSON
internal import Logging
internal import RenderProtocol
internal import Sidecar

/// Writes log lines to stderr, and drops them rather than wait for a host that does not read them:
/// an unread stderr must not stop the sidecar, as swift-log's own handler would.
struct StandardErrorLog: LogHandler {
  enum Format: String, CaseIterable, ExpressibleByArgument {
    /// For people: `renderstate: notice: …`.
    case text
    /// For programs: an object a line, with time, level, message, and what belongs to it.
    case json
  }

  let format: Format
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  init(format: Format = .text, logLevel: Logger.Level = .notice) {
    self.format = format
    self.logLevel = logLevel
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let details = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    switch format {
    case .text:
      let text = details.map { " \($0.key)=\($0.value)" }.joined()
      Self.write("renderstate: \(event.level): \(event.message)\(text)")
    case .json:
      writeObject(event.level, "\(event.message)", details.map { ($0.key, "\($0.value)") })
    }
  }

  private func writeObject(
    _ level: Logger.Level,
    _ message: String,
    _ details: [(key: String, value: String)] = []
  ) {
    let time = (key: "time", value: SystemClock().now().iso8601)
    let head = [time, ("level", level.rawValue), ("message", message)]
    var line = JSONWriter()
    line.beginObject()
    for (key, value) in head + details {
      line.key(escaping: key)
      line.string(value.cut)
    }
    line.endObject()
    Self.write(String(decoding: line.take(), as: UTF8.self))
  }

  /// Says why the program ends.
  func fail(_ reason: String) {
    switch format {
    case .text: Self.write("renderstate: \(reason)")
    case .json: writeObject(.critical, reason)
    }
  }

  /// Writes one line, whatever the text holds, if stderr takes it at once; its end is added.
  static func write(_ line: String) {
    var polled = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    guard poll(&polled, 1, 0) > 0, polled.revents & Int16(POLLOUT) != 0 else { return }
    // A pipe that is ready takes PIPE_BUF bytes without blocking (pipe(7)).
    var bytes = line.utf8.prefix(Int(PIPE_BUF) - 1).map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }
    bytes.append(UInt8(ascii: "\n"))
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}

extension String {
  /// So much of a text that a line of JSON stays whole, also where all of it is escaped.
  fileprivate var cut: String {
    utf8.count <= 300 ? self : String(decoding: utf8.prefix(297), as: UTF8.self) + "…"
  }
}
