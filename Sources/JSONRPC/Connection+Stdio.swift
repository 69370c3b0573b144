internal import Foundation
internal import Glibc

extension Connection {
  /// A connection over two file descriptors, with a thread to read and one to write where there is
  /// much to do; else the thread that handles does both.
  ///
  /// The threads block; they end with the process or with their stream. Descriptors that somebody else made
  /// non-blocking will do. The process has to ignore SIGPIPE.
  public static func stdio(
    input: Int32,
    output: Int32,
    maximumLineBytes: Int = defaultMaximumLineBytes,
    readingParams: @escaping ParamsReading = { _, _ in nil }
  ) -> Connection {
    // Node gives its children sockets, a shell gives them pipes.
    let writeAtOnce = isSocket(output) ? sendWithoutWaiting : writeWithoutWaiting
    var connection = Connection { writeAtOnce($0, output) }
    let receiver = LineReceiver(
      inbox: connection.inbox,
      maximumLineBytes: maximumLineBytes,
      readingParams: readingParams
    )
    let lines = LineInput(input, into: connection.inbox, receiver, doorbell: connection.doorbell)
    connection.input = lines
    let reader = Thread { lines.run() }
    reader.name = "reader"
    reader.stackSize = stackSize
    reader.start()
    let writer = Thread { [outbox = connection.outbox] in writeLines(of: outbox, to: output) }
    writer.name = "writer"
    writer.start()
    return connection
  }
}

/// Room for the deepest nesting that is read.
private let stackSize = 4 << 20

/// The most bytes handed to one `write(2)`: small enough that a slow reader shows as progress.
private let writeSize = 1 << 15

private func writeLines(of outbox: Outbox, to descriptor: Int32) {
  while let lines = outbox.next() {
    let isWritten = lines.withUnsafeBytes { bytes in
      var rest = bytes
      while !rest.isEmpty {
        let count = write(descriptor, rest.baseAddress, min(rest.count, writeSize))
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN {
          _ = isReady(descriptor, for: POLLOUT, milliseconds: -1)
          continue
        }
        guard count > 0 else { return false }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        outbox.noteWritten(count)
      }
      return true
    }
    guard isWritten else {
      outbox.breakOff()
      return
    }
  }
}

/// Writes as much of a few bytes as a socket takes now.
///
/// - Returns: how many bytes that was; 0 also where it fails: the thread that writes will see why.
private func sendWithoutWaiting(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
  let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
  return max(0, send(descriptor, bytes.baseAddress, bytes.count, flags))
}

/// Writes a few bytes to a pipe, all or nothing: one that has room has room for `PIPE_BUF` (pipe(7)).
///
/// - Returns: how many bytes that was, as `sendWithoutWaiting`.
private func writeWithoutWaiting(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
  guard isReady(descriptor, for: POLLOUT, milliseconds: 0) else { return 0 }
  return max(0, write(descriptor, bytes.baseAddress, bytes.count))
}

private func isSocket(_ descriptor: Int32) -> Bool {
  var status = stat()
  return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
}
