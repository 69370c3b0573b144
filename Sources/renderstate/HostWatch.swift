internal import Foundation
internal import Glibc
internal import JSONRPC

/// Ends the connection when the host asks for it by a signal, or is gone.
///
/// To be made before any thread starts: threads inherit which signals are blocked.
struct HostWatch {
  /// How often the host is looked for, in nanoseconds.
  private static let interval = 500_000_000

  private let parent: pid_t
  private let signals: sigset_t

  init() {
    parent = getppid()
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
    // A file size limit is then an error of the write, like a full disk, instead of the end.
    signal(SIGXFSZ, SIG_IGN)
    self.signals = signals
  }

  func start(_ connection: Connection, input: Int32, output: Int32) {
    let thread = Thread {
      while true {
        var signals = signals
        var interval = timespec(tv_sec: 0, tv_nsec: Self.interval)
        // A signal is what to stop for; that none came in time is an error here.
        if sigtimedwait(&signals, nil, &interval) > 0 { connection.inbox.end() }
        if getppid() != parent || isClosed(output) { connection.hangUp() }
        // The reader may stand before the end, at lines that nobody takes yet.
        if hasWrittenItsLast(input) { connection.inbox.noteEndWritten() }
      }
    }
    thread.name = "host watch"
    thread.start()
  }

  private func hasWrittenItsLast(_ descriptor: Int32) -> Bool {
    var polled = pollfd(fd: descriptor, events: otherEndShutDown, revents: 0)
    return poll(&polled, 1, 0) > 0 && polled.revents & (otherEndShutDown | Int16(POLLHUP)) != 0
  }

  /// Whether nobody can read what is written: the other end is closed, of a pipe (an error to poll)
  /// or of a socket, as Node gives its children (a hang-up).
  private func isClosed(_ descriptor: Int32) -> Bool {
    var polled = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&polled, 1, 0) > 0 && polled.revents & Int16(POLLERR | POLLHUP) != 0
  }
}

/// `POLLRDHUP`, for sockets (poll(2)).
private let otherEndShutDown: Int16 = 0x2000
