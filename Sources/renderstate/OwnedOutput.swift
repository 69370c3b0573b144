internal import ArgumentParser
internal import Glibc

/// Keeps stdout for protocol messages alone.
enum OwnedOutput {
  /// Takes stdout away under another descriptor; whatever is printed by mistake goes to stderr.
  static func take() throws -> Int32 {
    let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    guard output >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else {
      StandardErrorLog.write(
        "renderstate: stdout is closed; start it with a pipe for its answers\n"
      )
      throw ExitCode(1)
    }
    return output
  }
}
