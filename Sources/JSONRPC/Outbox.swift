internal import Foundation

/// What is to be written: bytes in order, taken by the one thread that writes.
///
/// A few lines that nothing stands before are written by the thread that puts them, if that takes no
/// waiting: waking another thread takes longer than most answers.
public final class Outbox: @unchecked Sendable {
  private let condition = NSCondition()
  private let doorbell: Doorbell
  private var waiting: [UInt8] = []
  private var inFlight = 0
  private var written: UInt64 = 0
  private var wantsRoomBelow: Int?
  private var hasEnded = false
  private var isBrokenOff = false
  /// Writes what can be written without waiting, and says how many bytes that was.
  private let writeAtOnce: ((UnsafeRawBufferPointer) -> Int)?
  /// So many bytes are written at once; a pipe that has room has room for these (pipe(7), PIPE_BUF).
  private static let mostAtOnce = 4_096

  init(doorbell: Doorbell, writeAtOnce: ((UnsafeRawBufferPointer) -> Int)? = nil) {
    self.doorbell = doorbell
    self.writeAtOnce = writeAtOnce
  }

  // MARK: - The side that produces

  /// Appends whole lines; for one thread at a time.
  public func put(_ lines: [UInt8]) {
    guard !lines.isEmpty else { return }
    guard let writeAtOnce, lines.count <= Self.mostAtOnce, reserve(lines.count) else {
      append(lines[...])
      return
    }
    let count = lines.withUnsafeBytes(writeAtOnce)
    noteWritten(count)
    guard count < lines.count else { return }
    condition.withLock { inFlight = 0 }
    append(lines[count...])
  }

  private func append(_ lines: ArraySlice<UInt8>) {
    condition.withLock {
      guard !isBrokenOff else { return }
      if waiting.isEmpty, inFlight == 0 { condition.broadcast() }
      waiting.append(contentsOf: lines)
    }
  }

  /// Takes the place of the thread that writes, if it has nothing to do.
  private func reserve(_ count: Int) -> Bool {
    condition.withLock {
      guard waiting.isEmpty, inFlight == 0, !isBrokenOff else { return false }
      inFlight = count
      return true
    }
  }

  /// Whether fewer bytes wait than given; if not, the doorbell rings as soon as they do.
  public func hasRoom(below limit: Int) -> Bool {
    condition.withLock {
      guard waiting.count + inFlight >= limit else { return true }
      wantsRoomBelow = max(wantsRoomBelow ?? 0, limit)
      return false
    }
  }

  /// Whether the other side has closed its end: nothing written will arrive any more.
  public var isBroken: Bool {
    condition.withLock { isBrokenOff }
  }

  /// All bytes taken by the other side so far: stands still while it reads nothing.
  public var bytesWritten: UInt64 {
    condition.withLock { written }
  }

  /// No line will follow.
  public func end() {
    condition.withLock {
      hasEnded = true
      condition.broadcast()
    }
  }

  /// Waits until all is written or can't be; for the thread that handles.
  ///
  /// - Returns: false if the other side took nothing for the given time.
  public func waitUntilWritten(stallLimit: Duration) -> Bool {
    var seen = bytesWritten
    var since = ContinuousClock.now
    while !isWritten {
      // Not to the end of the time: the doorbell rings when all is written, and not when some is.
      doorbell.wait(milliseconds: 100) { isWritten ? nil : [] }
      let written = bytesWritten
      if written != seen {
        (seen, since) = (written, .now)
      } else if ContinuousClock.now - since > stallLimit {
        return isWritten
      }
    }
    return true
  }

  /// Whether all is written, or can't be; if not, the doorbell rings as soon as it is.
  private var isWritten: Bool {
    isBroken || hasRoom(below: 1)
  }

  // MARK: - The side that writes

  /// Waits for bytes and takes all there are; nil when none will come.
  func next() -> [UInt8]? {
    condition.withLock {
      while waiting.isEmpty, !hasEnded, !isBrokenOff { condition.wait() }
      guard !waiting.isEmpty else { return nil }
      let taken = waiting
      waiting = []
      inFlight = taken.count
      return taken
    }
  }

  /// Bytes of what was taken last have been written.
  func noteWritten(_ count: Int) {
    let hasRoomAgain = condition.withLock {
      written += UInt64(count)
      inFlight -= count
      guard let limit = wantsRoomBelow, waiting.count + inFlight < limit else { return false }
      wantsRoomBelow = nil
      return true
    }
    if hasRoomAgain { doorbell.ring() }
  }

  /// Nobody will read what is written.
  func breakOff() {
    condition.withLock {
      isBrokenOff = true
      waiting = []
      inFlight = 0
      condition.broadcast()
    }
    doorbell.ring()
  }
}
