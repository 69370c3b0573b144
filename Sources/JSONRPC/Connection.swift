/// A pair of bounded queues with a host at their other ends: what it asks, and what it is told.
///
/// Made by `stdio` or `memory`; who handles messages need not know which.
public struct Connection: Sendable {
  public let inbox: Inbox
  public let outbox: Outbox
  /// Rings whenever the inbox has news, the outbox has the room it was asked for, or one breaks.
  let doorbell: Doorbell
  /// What fills the inbox; nil where the host does so itself.
  var input: LineInput?

  init(writeAtOnce: ((UnsafeRawBufferPointer) -> Int)? = nil) {
    doorbell = Doorbell()
    inbox = Inbox(doorbell: doorbell)
    outbox = Outbox(doorbell: doorbell, writeAtOnce: writeAtOnce)
  }

  /// Sleeps until there is news, until the descriptor (or none, if negative) is readable, or until the
  /// time is up (in milliseconds; negative for no limit).
  ///
  /// News is what the inbox has got, room in the outbox that was asked for, or the end of one.
  /// `isNeeded` is asked once more after that counts, so that none between a look at the queues and
  /// the sleep is lost: it has to look at everything that is waited for. Returns early at times. For
  /// the thread that handles.
  public func wait(milliseconds: Int32, orReadable descriptor: Int32, isNeeded: () -> Bool) {
    let readable = doorbell.wait(milliseconds: milliseconds) {
      isNeeded() ? [descriptor, input?.descriptorToWaitFor ?? -1] : nil
    }
    if let input, readable.contains(input.descriptor) { input.readOnce() }
  }

  /// Lets another thread read while this one has other things to do than `wait`.
  public func readMeanwhile() {
    input?.leaveToReader()
  }

  /// Whether nothing waits and nothing is at hand to be read.
  public var isQuiet: Bool {
    inbox.isExhausted || inbox.isEmpty && input?.isIdle != false
  }

  /// Ends the connection because the host is gone: nothing more is read, nothing more is written.
  public func hangUp() {
    inbox.end()
    outbox.breakOff()
  }
}

/// The line limit if none is named: 1 MiB.
public let defaultMaximumLineBytes = 1 << 20
