internal import Glibc
internal import Logging

/// Writes log lines to stderr, and drops them rather than wait for a host that does not read them:
/// an unread stderr must not stop the sidecar, as swift-log's own handler would.
struct StandardErrorLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.notice

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    Self.write("renderstate: \(event.level): \(event.message)")
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
