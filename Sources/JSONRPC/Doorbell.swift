internal import Glibc
internal import Synchronization

/// Lets one thread sleep until another one has something for it, or a file descriptor does.
///
/// It is a pipe to itself: a ring is a byte, written only while somebody sleeps, so that under load
/// no system call is spent on it.
public final class Doorbell: Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32
  private let isArmed = Atomic(false)

  public init() {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      fatalError("no pipe can be made: \(String(cString: strerror(errno)))")
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// Wakes the sleeper, if there is one.
  func ring() {
    guard isArmed.exchange(false, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 1
    while write(writeEnd, &byte, 1) < 0, errno == EINTR {}
  }

  /// Sleeps until a ring, until the descriptor (or none, if negative) is readable, or until the time
  /// is up (in milliseconds; negative for no limit).
  ///
  /// `isNeeded` is asked once more after rings count, so that none between a look at the queues and
  /// the sleep is lost: it has to look at everything whose ring is waited for. Returns early at
  /// times, so what was waited for is to be looked at again. One thread at a time.
  public func wait(
    milliseconds: Int32,
    orReadable descriptor: Int32,
    isNeeded: () -> Bool
  ) {
    isArmed.store(true, ordering: .sequentiallyConsistent)
    defer { disarm() }
    guard isNeeded() else { return }
    var polled = [
      pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
    ]
    _ = poll(&polled, 2, milliseconds)
  }

  private func disarm() {
    guard !isArmed.exchange(false, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 0
    while read(readEnd, &byte, 1) < 0, errno == EINTR {}
  }
}
