internal import Glibc

/// Reads a descriptor line by line; the reading thread waits for what has not come yet.
final class LineReader {
  private let descriptor: Int32
  private let longestLine: Int
  private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 1)
  /// What has been read and not handed out.
  private var waiting = 0..<0

  /// Whether it ended at a line that is too long.
  private(set) var hasOverlongLine = false

  init(_ descriptor: Int32, longestLine: Int = .max) {
    self.descriptor = descriptor
    self.longestLine = longestLine
  }

  deinit {
    buffer.deallocate()
  }

  /// Whether there is a whole line without another read.
  var hasLine: Bool { lineEnd(from: waiting.lowerBound) != nil }

  /// The next line without its end, which stays in place until the one after it; nil at the end.
  func next() -> UnsafeRawBufferPointer? {
    var searched = waiting.lowerBound
    while true {
      if let end = lineEnd(from: searched) {
        let line = UnsafeRawBufferPointer(rebasing: buffer[waiting.lowerBound..<end])
        waiting = end + 1..<waiting.upperBound
        return line
      }
      guard waiting.count <= longestLine else {
        hasOverlongLine = true
        return nil
      }
      makeRoom()
      searched = waiting.upperBound
      let room = buffer[waiting.upperBound...]
      let count = read(
        descriptor,
        UnsafeMutableRawBufferPointer(rebasing: room).baseAddress,
        room.count
      )
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return nil }
      waiting = waiting.lowerBound..<waiting.upperBound + count
    }
  }

  private func lineEnd(from start: Int) -> Int? {
    guard start < waiting.upperBound, let base = buffer.baseAddress,
      let end = memchr(base + start, Int32(UInt8(ascii: "\n")), waiting.upperBound - start)
    else { return nil }
    return UnsafeRawPointer(base).distance(to: UnsafeRawPointer(end))
  }

  /// Moves the beginning of a line to the front, and has a larger buffer where it fills this one.
  private func makeRoom() {
    guard waiting.lowerBound > 0 || waiting.upperBound == buffer.count else { return }
    let begun = UnsafeRawBufferPointer(rebasing: buffer[waiting])
    if begun.count < buffer.count {
      // The two may overlap.
      UnsafeMutableRawBufferPointer(rebasing: buffer[..<begun.count]).copyMemory(from: begun)
    } else {
      let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * begun.count, alignment: 1)
      larger.copyMemory(from: begun)
      buffer.deallocate()
      buffer = larger
    }
    waiting = 0..<begun.count
  }
}
