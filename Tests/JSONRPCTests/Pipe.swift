import Foundation

/// A pipe of the operating system; its ends are closed when they are told to, or with it.
final class Pipe: @unchecked Sendable {
  struct CannotBeMade: Error {}

  let readEnd: Int32
  let writeEnd: Int32
  private let lock = NSLock()
  private var open: Set<Int32>

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw CannotBeMade() }
    (readEnd, writeEnd) = (ends[0], ends[1])
    open = [readEnd, writeEnd]
  }

  deinit {
    for end in open { close(end) }
  }

  func closeReadEnd() {
    shut(readEnd)
  }

  func closeWriteEnd() {
    shut(writeEnd)
  }

  private func shut(_ end: Int32) {
    let wasOpen = lock.withLock { open.remove(end) != nil }
    if wasOpen { close(end) }
  }

  /// Whether a read would not block.
  var isReadable: Bool {
    var polled = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
    return poll(&polled, 1, 0) == 1
  }

  /// Writes all of it, as slowly as it is taken.
  func write(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { bytes in
        Glibc.write(writeEnd, bytes.baseAddress.map { $0 + written }, bytes.count - written)
      }
      guard count > 0 else { return }
      written += count
    }
  }

  /// Reads so many bytes, fewer at the end of the stream.
  func read(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count < count {
      let size = Glibc.read(readEnd, &buffer, min(buffer.count, count - bytes.count))
      guard size > 0 else { break }
      bytes += buffer[..<size]
    }
    return bytes
  }

  func readAll() -> [UInt8] {
    read(.max)
  }
}
