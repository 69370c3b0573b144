internal import Foundation

/// What has been read and waits to be handled: bounded, in order.
public final class Inbox: @unchecked Sendable {
  /// One message, or one element of a batch.
  public struct Item: Sendable {
    public let content: Result<Message, InvalidMessage>
    public let place: Place
    /// When it was read, in nanoseconds of the monotonic clock.
    public let readAt: UInt64
  }

  /// Where a message stands on its line.
  public enum Place: Sendable {
    case alone
    case inBatch(isLast: Bool)
  }

  /// How many bytes of lines may wait; a line is let in while fewer do.
  static let capacity = 1 << 20

  private let condition = NSCondition()
  private let doorbell: Doorbell
  private var items: [Item] = []
  private var bytes = 0
  private var isEnded = false
  private var isEndWritten = false

  init(doorbell: Doorbell) {
    self.doorbell = doorbell
  }

  // MARK: - The side that handles

  /// Everything that waits, in order; empty if nothing does.
  public func takeAll() -> [Item] {
    condition.withLock {
      guard !items.isEmpty else { return [] }
      let taken = items
      items = []
      items.reserveCapacity(min(taken.count, 1_024))
      bytes = 0
      condition.broadcast()
      return taken
    }
  }

  /// Whether something like this waits.
  public func contains(where matches: (Item) -> Bool) -> Bool {
    condition.withLock { items.contains(where: matches) }
  }

  /// Whether something waits, or nothing will any more.
  public var hasNews: Bool {
    condition.withLock { !items.isEmpty || isEnded }
  }

  /// Whether nothing more will come, or the host has written its last, read or not.
  public var isEnding: Bool {
    condition.withLock { isEnded || isEndWritten }
  }

  /// Whether nothing waits and nothing will come.
  public var isExhausted: Bool {
    condition.withLock { items.isEmpty && isEnded }
  }

  /// Whether nothing waits; more may come.
  var isEmpty: Bool {
    condition.withLock { items.isEmpty }
  }

  /// Lets nothing more in; what waits already will still be handled.
  public func end() {
    condition.withLock {
      isEnded = true
      condition.broadcast()
    }
    doorbell.ring()
  }

  /// The host has closed its end; what it has written before may still be unread.
  public func noteEndWritten() {
    condition.withLock { isEndWritten = true }
  }

  // MARK: - The side that reads

  /// Whether there is room for one more line.
  var hasRoom: Bool {
    condition.withLock { bytes < Self.capacity && !isEnded }
  }

  /// Puts the items of one line at the end, and waits for room first if it may.
  ///
  /// - Returns: false if nothing is let in any more.
  func put(_ line: [Item], bytes size: Int, mayWait: Bool = true) -> Bool {
    let isOpen = condition.withLock {
      while mayWait, bytes >= Self.capacity, !isEnded { condition.wait() }
      guard !isEnded else { return false }
      items.append(contentsOf: line)
      bytes += size + 64 * line.count
      return true
    }
    if isOpen { doorbell.ring() }
    return isOpen
  }
}
