/// The host's end of a connection in memory: it is handed bytes and hands out lines.
///
/// One thread may send while another one receives; two may not do the same.
public final class MemoryHost: @unchecked Sendable {
  private var receiver: LineReceiver
  private let outbox: Outbox
  private var unread: ArraySlice<UInt8> = []
  private var takenOfUnread = 0

  init(_ connection: Connection, maximumLineBytes: Int, readingParams: @escaping ParamsReading) {
    receiver = LineReceiver(
      inbox: connection.inbox,
      maximumLineBytes: maximumLineBytes,
      readingParams: readingParams
    )
    outbox = connection.outbox
  }

  /// Sends bytes as they are.
  public func send(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { _ = receiver.take($0) }
  }

  /// Sends one line; its end is added.
  public func send(_ line: String) {
    send(Array(line.utf8) + [UInt8(ascii: "\n")])
  }

  /// Nothing more will be sent.
  public func end() {
    receiver.end()
  }

  /// Waits for the next line and takes it, without its end; nil when none will come.
  public func receive() -> String? {
    while true {
      if let newline = unread.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: unread[..<newline], as: UTF8.self)
        noteTaken(unread[...newline].count)
        takenOfUnread = 0
        unread = unread[(newline + 1)...]
        return line
      }
      noteTaken(unread.count)
      guard let bytes = outbox.next() else { return nil }
      unread += bytes
    }
  }

  /// Of what is unread so many bytes count as taken: what was handed out, and a piece whose end is to come.
  private func noteTaken(_ count: Int) {
    outbox.noteWritten(count - takenOfUnread)
    takenOfUnread = count
  }
}

extension Connection {
  /// A connection to a host in the same process: the same framing and queues, no threads, no pipes.
  public static func memory(
    maximumLineBytes: Int = defaultMaximumLineBytes,
    readingParams: @escaping ParamsReading = { _, _ in nil }
  ) -> (Connection, MemoryHost) {
    let connection = Connection()
    let host = MemoryHost(
      connection,
      maximumLineBytes: maximumLineBytes,
      readingParams: readingParams
    )
    return (connection, host)
  }
}
