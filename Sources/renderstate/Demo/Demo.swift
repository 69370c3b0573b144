internal import ArgumentParser
internal import Foundation
internal import Glibc

/// The product at work, with real videos.
struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Watch three real renders, from start to history, in ten seconds.",
    discussion: """
      Starts a sidecar on a temporary database and renders short videos with ffmpeg. One render \
      completes. One fails, because its input is not there, and is retried; a second sidecar on \
      the same database sends the same start at once, and is refused. One is cancelled half way. \
      The bars move by the sidecar's notifications alone. At the end: what each render went \
      through, from the log, and where the MP4s are.

      The MP4s stay: renderstate-demo-trailer.mp4 and renderstate-demo-intro.mp4, in the place of \
      those of an earlier demo. Everything else is removed; on Ctrl-C, everything. Without ffmpeg \
      the renders are simulated.

      Where stdout is no terminal, or TERM is dumb: plain lines. NO_COLOR=1: no colours. Ends with \
      code 0 when the story has been told, with code 1 and the reason on stderr when it cannot be.
      """
  )

  @Option(
    help: ArgumentHelp(
      "The folder for the MP4s, which must be there.",
      discussion: "Without it: a new one in the system's temporary folder ($TMPDIR).",
      valueName: "folder"
    )
  )
  var output: String?

  func validate() throws {
    guard output != "" else { throw ValidationError("--output must name a folder.") }
  }

  private enum Ending {
    case told
    case failed(any Error)
    /// Nobody wants to see more of it.
    case stopped(signal: Int32)
  }

  func run() throws {
    let ending = Promise<Ending>()
    watchSignals { ending.put(.stopped(signal: $0)) }
    let workplace = try attempt { try Workplace(output: output) }
    let screen = makeScreen { ending.put(.stopped(signal: SIGPIPE)) }
    Thread.detachNewThread {
      do {
        try show(on: screen, workplace)
        ending.put(.told)
      } catch {
        ending.put(.failed(error))
      }
    }
    let outcome = ending.wait()
    screen.settle()
    switch outcome {
    case .told:
      workplace.close(keepingVideos: true)
    case .failed(let error):
      workplace.close(keepingVideos: false)
      throw failure(error)
    case .stopped(let signal):
      workplace.close(keepingVideos: false)
      if signal != SIGPIPE {
        // The terminal has written ^C.
        if Terminal.canDraw { screen.print([""]) }
        StandardErrorLog.write("renderstate: stopped; nothing is left running or lying about")
      }
      throw ExitCode(128 + signal)
    }
  }

  private func show(on screen: any Screen, _ workplace: Workplace) throws {
    let paint = Paint.asWanted
    screen.print([paint("renderstate demo", .bold) + ": three renders, one owner of their state"])
    let encoder: any Encoder
    do {
      encoder = try FFmpeg(workplace)
      screen.print(["ffmpeg renders; the bars move by the sidecar's notifications"])
    } catch let unusable as FFmpeg.Unusable {
      encoder = SimulatedEncoder()
      screen.print(["\(unusable.reason): the renders are simulated, the sidecar is real"])
    }
    screen.print([""])
    let report = try Story(workplace, encoder, screen).tell()
    screen.settle()
    screen.print(report.lines(width: Terminal.canDraw ? Terminal.size.columns : nil, paint))
  }

  private func makeScreen(onHangUp: @escaping @Sendable () -> Void) -> any Screen {
    Terminal.canDraw
      ? LiveScreen(ids: Story.ids, onHangUp: onHangUp) : PlainScreen(onHangUp: onHangUp)
  }

  /// Hears what would end the process; to be called before any thread starts.
  private func watchSignals(_ body: @escaping @Sendable (Int32) -> Void) {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
    Thread.detachNewThread { [signals] in
      var signals = signals
      var signal: Int32 = 0
      while sigwait(&signals, &signal) == 0 { body(signal) }
    }
  }

  private func attempt<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      throw failure(error)
    }
  }

  private func failure(_ error: any Error) -> ExitCode {
    let text =
      switch error {
      case let error as DemoError: error.message
      case let refusal as Refusal: "the sidecar refused what the demo asked: \(refusal.line)"
      default: "\(error)"
      }
    StandardErrorLog.write("renderstate: \(text)")
    return ExitCode(1)
  }
}
