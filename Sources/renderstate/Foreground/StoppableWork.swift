internal import ArgumentParser
internal import Foundation
internal import Glibc

/// What a command does, on a thread of its own, until it is done, fails, or somebody stops it.
struct StoppableWork: Sendable {
  enum Ending: Sendable {
    case done
    case failed(any Error)
    /// Nobody wants to see more of it.
    case stopped(signal: Int32)
  }

  private let ending = Promise<Ending>()

  /// Hears what would end the process; to be made before any thread starts.
  init() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
    // A file size limit is then an error of the write, like a full disk, instead of the end.
    signal(SIGXFSZ, SIG_IGN)
    Thread.detachNewThread { [signals, ending] in
      var signals = signals
      var signal: Int32 = 0
      while sigwait(&signals, &signal) == 0 { ending.put(.stopped(signal: signal)) }
    }
  }

  /// The work is of no use any more: nobody reads what is written.
  func hangUp() {
    ending.put(.stopped(signal: SIGPIPE))
  }

  /// Returns when the body has, or when it is to be left behind.
  func run(_ body: @escaping @Sendable () throws -> Void) -> Ending {
    Thread.detachNewThread {
      do {
        try body()
        ending.put(.done)
      } catch {
        ending.put(.failed(error))
      }
    }
    return ending.wait()
  }
}

extension StoppableWork.Ending {
  /// Says on stderr why the work was not done, if it was not, and throws the exit code for it.
  func throwUnlessDone() throws {
    switch self {
    case .done: break
    case .failed(let error): throw ExitCode.failure(error)
    case .stopped(SIGPIPE): throw ExitCode(128 + SIGPIPE)
    case .stopped(let signal):
      // The terminal has written ^C.
      if isatty(STDERR_FILENO) != 0 { StandardErrorLog.write("") }
      StandardErrorLog.write("renderstate: stopped; nothing is left running or lying about")
      throw ExitCode(128 + signal)
    }
  }
}

extension ExitCode {
  /// Says on stderr what went wrong; an exit code has been told of already.
  static func failure(_ error: any Error) -> ExitCode {
    if let code = error as? ExitCode { return code }
    let text = (error as? CommandError)?.message ?? "\(error)"
    StandardErrorLog.write("renderstate: \(text)")
    return ExitCode(1)
  }

  /// What the body gives, or the exit code for what it throws.
  static func onFailure<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      throw failure(error)
    }
  }
}
