internal import Glibc
internal import Synchronization

/// Lets one thread sleep until another one has something for it, or a file descriptor does.
///
/// It is a pipe to itself: a ring is a byte, written only while somebody sleeps, so that under load
/// no system call is spent on it.
final class Doorbell: Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32
  private let isArmed = Atomic(false)
  /// How long a sleeper stays awake first: 50 µs, about as long as waking takes on a virtual machine.
  private static let wakefulNanoseconds: UInt64 = 50_000

  init() {
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

  /// Sleeps until a ring, until a descriptor is readable, or until the time is up (in milliseconds;
  /// negative for no limit).
  ///
  /// `descriptors` says which to wait for (negative ones are none), or nil if there is news already. It is
  /// asked after rings count, so that none between a look at the queues and the sleep is lost: it
  /// has to look at everything whose ring is waited for. Returns early at times, so what was waited
  /// for is to be looked at again. One thread at a time.
  ///
  /// - Returns: the descriptors that are readable, or whose other end is closed.
  @discardableResult
  func wait(milliseconds: Int32, for descriptors: () -> [Int32]?) -> [Int32] {
    isArmed.store(true, ordering: .sequentiallyConsistent)
    defer { disarm() }
    guard let descriptors = descriptors() else { return [] }
    var polled = ([readEnd] + descriptors).map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    // For a moment it looks again and again: a processor that has gone to rest takes longer to wake
    // than most requests take, and a host's next request comes soon.
    let end = monotonicNanoseconds() + Self.wakefulNanoseconds
    repeat {
      if poll(&polled, nfds_t(polled.count), 0) != 0 { return readable(polled) }
      sched_yield()
    } while milliseconds != 0 && monotonicNanoseconds() < end
    _ = poll(&polled, nfds_t(polled.count), milliseconds)
    return readable(polled)
  }

  private func readable(_ polled: [pollfd]) -> [Int32] {
    polled.compactMap { $0.revents != 0 && $0.fd != readEnd ? $0.fd : nil }
  }

  private func disarm() {
    guard !isArmed.exchange(false, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 0
    while read(readEnd, &byte, 1) < 0, errno == EINTR {}
  }
}
