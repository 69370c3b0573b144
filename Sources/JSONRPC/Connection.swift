/// A pair of bounded queues with a host at their other ends: what it asks, and what it is told.
///
/// Made by `stdio` or `memory`; who handles messages need not know which.
public struct Connection: Sendable {
  public let inbox: Inbox
  public let outbox: Outbox
  /// Rings whenever the inbox has news, the outbox has the room it was asked for, or one breaks.
  public let doorbell: Doorbell

  init(writeAtOnce: ((UnsafeRawBufferPointer) -> Int)? = nil) {
    doorbell = Doorbell()
    inbox = Inbox(doorbell: doorbell)
    outbox = Outbox(doorbell: doorbell, writeAtOnce: writeAtOnce)
  }

  /// Ends the connection because the host is gone: nothing more is read, nothing more is written.
  public func hangUp() {
    inbox.end()
    outbox.breakOff()
  }
}

/// The line limit if none is named: 1 MiB.
public let defaultMaximumLineBytes = 1 << 20
