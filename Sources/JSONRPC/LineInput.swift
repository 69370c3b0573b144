internal import Foundation
internal import Glibc

/// Reads the lines of a descriptor, by two threads in turn.
///
/// While nothing happens, the thread that handles messages waits for them itself: what comes then is
/// handled without waking anybody else, which takes longer than most requests. Whenever more comes than
/// one read takes, or that thread has other things to do, a thread of its own reads; it gives the
/// turn back when nothing is at hand.
final class LineInput: @unchecked Sendable {
  private enum Turn {
    case reader
    case handler
    /// Nothing will be read any more.
    case nobody
  }

  let descriptor: Int32
  private let inbox: Inbox
  private let doorbell: Doorbell
  private let condition = NSCondition()
  private var turn = Turn.reader
  /// These two belong to the thread whose turn it is.
  private var receiver: LineReceiver
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)

  init(_ descriptor: Int32, into inbox: Inbox, _ receiver: LineReceiver, doorbell: Doorbell) {
    self.descriptor = descriptor
    self.inbox = inbox
    self.doorbell = doorbell
    self.receiver = receiver
  }

  deinit {
    buffer.deallocate()
  }

  // MARK: - The thread that reads

  /// Reads whenever it is the reader's turn, until the end.
  func run() {
    while waitForTurn() {
      var left = Reading.some
      while left != .end, isReady(descriptor, for: POLLIN, milliseconds: 0) {
        left = read(mayWait: true)
      }
      give(left == .end ? .nobody : .handler)
      doorbell.ring()
    }
  }

  /// - Returns: false when nothing will be read any more.
  private func waitForTurn() -> Bool {
    condition.withLock {
      while turn == .handler { condition.wait() }
      return turn == .reader
    }
  }

  // MARK: - The thread that handles

  /// What to wait for: the descriptor, if it is the handler's turn and there is room for more; else
  /// negative.
  var descriptorToWaitFor: Int32 {
    condition.withLock { turn == .handler } && inbox.hasRoom ? descriptor : -1
  }

  /// Whether nobody is reading, and nothing is there to be read.
  var isIdle: Bool {
    condition.withLock { turn != .reader } && !hasUnread
  }

  /// Whether something can be read, and it is the handler's turn.
  private var hasUnread: Bool {
    let mayRead = descriptorToWaitFor
    return mayRead >= 0 && isReady(mayRead, for: POLLIN, milliseconds: 0)
  }

  /// Reads what was waited for; leaves the rest to the reader, if one read does not take all.
  func readOnce() {
    switch read(mayWait: false) {
    case .all: break
    case .some: leaveToReader()
    case .end: give(.nobody)
    }
  }

  /// Lets the reader read while the handler has other things to do.
  func leaveToReader() {
    give(.reader)
  }

  // MARK: - Both

  private func give(_ next: Turn) {
    condition.withLock {
      guard turn != .nobody, turn != next else { return }
      turn = next
      condition.signal()
    }
  }

  /// What came of one read.
  private enum Reading {
    /// All that was there.
    case all
    /// Perhaps not all.
    case some
    /// The end of the input, or the inbox lets nothing in any more.
    case end
  }

  private func read(mayWait: Bool) -> Reading {
    let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
    if count < 0, errno == EINTR || errno == EAGAIN { return .some }
    guard count > 0 else {
      receiver.end()
      return .end
    }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
    guard receiver.take(bytes, mayWait: mayWait) else { return .end }
    return count < buffer.count ? .all : .some
  }
}

/// Waits until a call would not block, if only because it fails; a negative time has no limit.
func isReady(_ descriptor: Int32, for events: Int32, milliseconds: Int32) -> Bool {
  var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
  let count = poll(&polled, 1, milliseconds)
  return count > 0 || count < 0 && errno != EINTR
}
