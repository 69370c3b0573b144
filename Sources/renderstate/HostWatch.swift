internal import Foundation
internal import Glibc
internal import JSONRPC
internal import RenderStore
internal import Synchronization

/// Ends the work when the host asks for it by a signal, or is gone.
final class HostWatch: Sendable {
  /// How often the host is looked for, in nanoseconds.
  private static let interval = 250_000_000
  /// So long locks of other processes are waited for after a signal, or after the host was missed.
  ///
  /// The process is to be gone within 2 s.
  private static let lockLimit = Duration.milliseconds(750)

  /// The process that started this one, and the signals that ask it to stop.
  private let parent: pid_t
  private let signals: sigset_t
  private let state = Mutex(State())

  /// Makes the store hurry when there is no time left.
  let stop = StopNotice()

  private struct State {
    /// nil as long as the database is not open.
    var connection: Connection?
    var isStopped = false
    var isHostGone = false
  }

  /// Holds the signals back that ask to stop, until they are watched for, and ignores those that are errors of a
  /// call as well.
  ///
  /// To be made before anything else: by default a signal ends the process, threads inherit what is held back,
  /// and a parent that is gone cannot be told from another one later.
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

  /// Whether the end has been asked for, or nobody is there to ask.
  var hasStopped: Bool {
    state.withLock { $0.isStopped || $0.isHostGone }
  }

  /// Watches from now on, on a thread of its own.
  func start(input: Int32, output: Int32) {
    let thread = Thread { [self] in
      while true {
        var signals = signals
        var interval = timespec(tv_sec: 0, tv_nsec: Self.interval)
        // A signal is what to stop for; that none came in time is an error here.
        if sigtimedwait(&signals, nil, &interval) > 0 { note { $0.isStopped = true } }
        if getppid() != parent || isClosed(output) { note { $0.isHostGone = true } }
        // The reader may stand before the end, at lines that nobody takes yet.
        if hasWrittenItsLast(input) { state.withLock { $0.connection }?.inbox.noteEndWritten() }
      }
    }
    thread.name = "host watch"
    thread.start()
  }

  /// Ends this connection when the time comes, or at once if it has come.
  func hand(_ connection: Connection) {
    let state = state.withLock { state in
      state.connection = connection
      return state
    }
    end(state)
  }

  private func note(_ change: (inout State) -> Void) {
    stop.limitWaits(to: Self.lockLimit)
    let state = state.withLock { state in
      change(&state)
      return state
    }
    end(state)
  }

  private func end(_ state: State) {
    if state.isStopped { state.connection?.inbox.end() }
    if state.isHostGone { state.connection?.hangUp() }
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
