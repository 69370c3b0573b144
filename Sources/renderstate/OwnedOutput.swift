internal import ArgumentParser
internal import Glibc

/// Keeps stdout for protocol messages alone.
enum OwnedOutput {
  /// Takes stdout away under another descriptor; whatever is printed by mistake goes to stderr.
  ///
  /// To be called before any file is opened: a file must not get the number of a standard stream
  /// that the host left closed, or log lines would go into it.
  static func take() throws -> Int32 {
    let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    openStandardStreams()
    guard output >= 0 else {
      StandardErrorLog.write("renderstate: stdout is closed; start it with a pipe for its answers")
      // Nobody can read what is answered: the end of a connection, as a closed pipe would be.
      throw ExitCode.success
    }
    dup2(STDERR_FILENO, STDOUT_FILENO)
    return output
  }

  /// Puts nothing where a standard stream is closed: an input at its end, an output that is dropped.
  ///
  /// To be called before any file is opened: what is meant for a stream would go into that file.
  static func openStandardStreams() {
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) < 0 {
      // The lowest free number is taken (open(2)), which is this stream's.
      _ = open("/dev/null", O_RDWR)
    }
  }
}
