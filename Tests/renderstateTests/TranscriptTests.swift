import Foundation
import Glibc
import Support
import Testing

@Suite("Transcripts over pipes")
struct TranscriptTests {
  @Test("renderstate serve answers as the story says", arguments: try Transcript.all())
  func story(_ transcript: Transcript) throws {
    try transcript.play(on: PipedTranscriptTarget())
  }

  @Test("there are stories to play")
  func found() throws {
    #expect(try !Transcript.all().isEmpty)
  }
}

/// The real thing as a story's other side: a process with pipes for its stdin and stdout.
private final class PipedTranscriptTarget: TranscriptTarget {
  private let folder: TemporaryFolder
  private var process: pid_t = 0
  private var input: Int32 = -1
  private var output: Int32 = -1
  private var unread: [UInt8] = []

  init() throws {
    folder = try TemporaryFolder()
    // A write to a process that has ended is an error, not the end of the tests.
    signal(SIGPIPE, SIG_IGN)
  }

  deinit {
    if process > 0 {
      Glibc.kill(process, SIGKILL)
      waitpid(process, nil, 0)
    }
    for descriptor in [input, output] where descriptor >= 0 { close(descriptor) }
  }

  /// `RENDERSTATE_BIN`, or what is built beside the tests.
  private static func binary() throws -> String {
    if let path = ProcessInfo.processInfo.environment["RENDERSTATE_BIN"] { return path }
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(filePath: tests).deletingLastPathComponent().appending(path: "renderstate")
      .path(percentEncoded: false)
  }

  func start(_ arguments: [String]) throws {
    for descriptor in [input, output] where descriptor >= 0 { close(descriptor) }
    unread = []
    let (theirInput, ourInput) = try pipe()
    let (ourOutput, theirOutput) = try pipe()
    (input, output) = (ourInput, ourOutput)
    defer {
      close(theirInput)
      close(theirOutput)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, theirInput, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, theirOutput, STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    let binary = try Self.binary()
    let words = [binary, "serve", "--database", folder.database] + arguments
    var strings = words.map { strdup($0) } + [nil]
    defer { for string in strings { free(string) } }
    let code = posix_spawn(&process, binary, &actions, nil, &strings, environ)
    guard code == 0 else {
      process = 0
      throw Unexpected("\(binary) cannot be started: \(String(cString: strerror(code)))")
    }
  }

  /// A pipe that no other child of the tests inherits: one of them would hold it open.
  ///
  /// By a name that is gone at once, because `pipe(2)` cannot close on exec from the beginning.
  private func pipe() throws -> (readEnd: Int32, writeEnd: Int32) {
    let path = folder.path("pipe")
    mkfifo(path, 0o600)
    defer { unlink(path) }
    let readEnd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    let writeEnd = open(path, O_WRONLY | O_CLOEXEC)
    guard readEnd >= 0, writeEnd >= 0, fcntl(readEnd, F_SETFL, 0) == 0 else {
      throw Unexpected("no pipe can be made: \(String(cString: strerror(errno)))")
    }
    return (readEnd, writeEnd)
  }

  func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Unexpected("stdin of the sidecar is closed") }
      rest = rest.dropFirst(count)
    }
  }

  func receive() throws -> String? {
    try Patience.waiting(for: "a line", giveUp: killing) {
      while true {
        if let newline = unread.firstIndex(of: UInt8(ascii: "\n")) {
          let line = String(decoding: unread[..<newline], as: UTF8.self)
          unread.removeSubrange(...newline)
          return line
        }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(output, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else {
          guard unread.isEmpty else { throw Unexpected("stdout ends within a line") }
          return nil
        }
        unread += chunk[..<count]
      }
    }
  }

  func kill() throws {
    Glibc.kill(process, SIGKILL)
    _ = try exitStatus()
  }

  func end() throws {
    close(input)
    input = -1
    let status = try exitStatus()
    guard status == 0 else { throw Unexpected("the sidecar ended with the status \(status)") }
  }

  /// Waits for the end: 0 is the exit code 0, anything else is not.
  private func exitStatus() throws -> Int32 {
    var status: Int32 = -1
    try Patience.waiting(for: "the end of the sidecar", giveUp: killing) {
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }
    process = 0
    return status
  }

  private var killing: @Sendable () -> Void {
    { [process] in _ = Glibc.kill(process, SIGKILL) }
  }
}
