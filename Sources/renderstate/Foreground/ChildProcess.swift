internal import Foundation
internal import Glibc
internal import Synchronization

/// A program run with pipes at its stdin and stdout, its stderr in a file.
///
/// It is in a process group of its own: Ctrl-C reaches the command alone, which then ends what it
/// started in order.
final class ChildProcess: Sendable {
  enum Ending: Equatable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    var description: String {
      switch self {
      case .exited(let code): "exited with code \(code)"
      case .killed(let signal): "was killed by signal \(signal)"
      }
    }
  }

  let pid: pid_t
  private let output: Int32
  private let log: URL
  /// nil once it is closed.
  private let input: Mutex<Int32?>
  private let isReaped = Mutex(false)
  private let ending = Promise<Ending>()

  /// Not to be called by two threads at once: the pipes of one would be inherited by the other.
  ///
  /// The executable is looked for on the PATH if its name has no slash; `log` is the file for its
  /// stderr.
  init(_ executable: String, _ arguments: [String], log: URL) throws {
    self.log = log
    let stdin = try Self.makePipe()
    let stdout = try Self.makePipe()
    defer {
      close(stdin.readEnd)
      close(stdout.writeEnd)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, stdin.readEnd, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, stdout.writeEnd, STDOUT_FILENO)
    let flags = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.fileSystemPath, flags, 0o600)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    Self.resetSignals(&attributes)

    let argv = ([executable] + arguments).map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var pid = pid_t()
    let error = posix_spawnp(&pid, executable, &actions, &attributes, argv, environ)
    self.pid = pid
    input = Mutex(stdin.writeEnd)
    output = stdout.readEnd
    guard error == 0 else {
      let reason = String(cString: strerror(error))
      throw CommandError(message: "\(executable) cannot be run: \(reason)")
    }
    Thread.detachNewThread { self.reap() }
  }

  deinit {
    closeInput()
    close(output)
  }

  /// Writes lines, all of them.
  func write(_ lines: ArraySlice<UInt8>) {
    input.withLock { input in
      guard let input else { return }
      // A child that has gone shows at its output.
      _ = writeAll(lines, to: input)
    }
  }

  func closeInput() {
    input.withLock { input in
      if let open = input { close(open) }
      input = nil
    }
  }

  /// Its output; to be made once, and not to be used longer than the child.
  func lines() -> LineReader {
    LineReader(output)
  }

  /// Reads its output up to the end, line by line.
  func forEachLine(_ body: (String) throws -> Void) rethrows {
    let lines = lines()
    while let line = lines.next() { try body(String(decoding: line, as: UTF8.self)) }
  }

  /// The last line it wrote to stderr.
  var lastLogLine: String? {
    let text = (try? Data(contentsOf: log)).map { String(decoding: $0, as: UTF8.self) }
    return text?.split(whereSeparator: \.isNewline).last.map(String.init)
  }

  func terminate() {
    send(SIGTERM)
  }

  func waitForEnd() -> Ending {
    ending.wait()
  }

  /// Waits so long for an orderly end, then kills it.
  func waitForEnd(seconds: TimeInterval) {
    guard ending.wait(seconds: seconds) == nil else { return }
    send(SIGKILL)
    _ = ending.wait()
  }

  private func send(_ signal: Int32) {
    // The lock keeps the pid from being given to another process in between.
    isReaped.withLock { isReaped in
      if !isReaped { kill(pid, signal) }
    }
  }

  private func reap() {
    var information = siginfo_t()
    while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    var status: Int32 = 0
    isReaped.withLock { isReaped in
      waitpid(pid, &status, 0)
      isReaped = true
    }
    let signal = status & 0x7F
    ending.put(signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal))
  }

  private static func makePipe() throws -> (readEnd: Int32, writeEnd: Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw CommandError(message: "no pipe can be made: \(String(cString: strerror(errno)))")
    }
    // Ends that other children inherit would keep a stream from ending.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// Undoes for the child what the command does to its own signals.
  private static func resetSignals(_ attributes: inout posix_spawnattr_t) {
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
    posix_spawnattr_setflags(&attributes, Int16(flags))
  }
}

/// Writes as slowly as it is taken; false where nobody takes it any more.
func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
  bytes.withUnsafeBytes { bytes in
    var rest = bytes
    while !rest.isEmpty {
      let count = write(descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
  }
}

extension URL {
  /// The path as the system takes it.
  var fileSystemPath: String { path(percentEncoded: false) }
}
