internal import Glibc

/// Turns bytes into items of an inbox, whatever they come from.
struct LineReceiver {
  private var splitter: LineSplitter
  private let inbox: Inbox
  private let readingParams: ParamsReading

  init(inbox: Inbox, maximumLineBytes: Int, readingParams: @escaping ParamsReading) {
    splitter = LineSplitter(limit: maximumLineBytes)
    self.inbox = inbox
    self.readingParams = readingParams
  }

  /// Takes the next bytes.
  ///
  /// - Parameters:
  ///   - chunk: the bytes.
  ///   - mayWait: whether to wait for room in the inbox; who empties it must not.
  /// - Returns: false if the inbox lets nothing in any more.
  mutating func take(_ chunk: UnsafeRawBufferPointer, mayWait: Bool = true) -> Bool {
    var isOpen = true
    let now = monotonicNanoseconds()
    splitter.take(chunk) { [inbox, readingParams, limit = splitter.limit] piece in
      isOpen =
        isOpen
        && put(piece, into: inbox, limit: limit, readingParams, at: now, mayWait: mayWait)
    }
    return isOpen
  }

  /// Takes the end of the stream and ends the inbox.
  mutating func end() {
    let now = monotonicNanoseconds()
    splitter.end { [inbox, readingParams, limit = splitter.limit] piece in
      _ = put(piece, into: inbox, limit: limit, readingParams, at: now, mayWait: false)
    }
    inbox.end()
  }
}

/// Puts what one piece holds into the inbox.
///
/// - Returns: false if the inbox lets nothing in any more.
private func put(
  _ piece: LineSplitter.Piece,
  into inbox: Inbox,
  limit: Int,
  _ readingParams: ParamsReading,
  at now: UInt64,
  mayWait: Bool
) -> Bool {
  switch piece {
  case .tooLong:
    let error = InvalidMessage(.notARequest("a line of more than \(limit) bytes"))
    return inbox.put(
      [Inbox.Item(content: .failure(error), place: .alone, readAt: now)],
      bytes: 0,
      mayWait: mayWait
    )
  case .line(let line):
    switch LineContent(line: line, readingParams: readingParams) {
    case .blank:
      return true
    case .one(let content):
      return inbox.put(
        [Inbox.Item(content: content, place: .alone, readAt: now)],
        bytes: line.count,
        mayWait: mayWait
      )
    case .batch(let contents):
      let items = contents.enumerated().map { index, content in
        Inbox.Item(
          content: content,
          place: .inBatch(isLast: index == contents.count - 1),
          readAt: now
        )
      }
      return inbox.put(items, bytes: line.count, mayWait: mayWait)
    }
  }
}

/// The monotonic clock, for measuring how long something took.
public func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
