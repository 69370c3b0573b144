internal import ArgumentParser
internal import Foundation

/// The product at work, with real videos.
struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
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

  func run() throws {
    let work = StoppableWork()
    let (videos, workplace) = try ExitCode.onFailure {
      (
        try VideoFolder(output: output),
        try Workplace(
          in: Self.temporaryFolder,
          name: "renderstate-demo-work",
          advice: Self.adviceForTemporaryFolder
        )
      )
    }
    // What ffmpeg says is shorter where it is given names instead of paths.
    _ = FileManager.default.changeCurrentDirectoryPath(workplace.folder.fileSystemPath)
    let screen: any Screen =
      Terminal.output.canDraw
      ? LiveScreen(ids: Story.ids, onHangUp: work.hangUp) : PlainScreen(onHangUp: work.hangUp)
    let ending = work.run { try show(on: screen, workplace, videos) }
    screen.settle()
    workplace.close()
    if case .done = ending { return }
    videos.remove()
    try ending.throwUnlessDone()
  }

  /// Taken once, before the working directory is another one.
  private static let temporaryFolder = FileManager.default.temporaryDirectory.absoluteURL
  private static let adviceForTemporaryFolder = "set TMPDIR to one"

  static func makeTemporaryFolder(_ name: String) throws -> URL {
    try Workplace.makeFolder(in: temporaryFolder, name: name, advice: adviceForTemporaryFolder)
  }

  private func show(
    on screen: any Screen,
    _ workplace: Workplace,
    _ videos: VideoFolder
  ) throws {
    let paint = Paint.wanted(on: .output)
    screen.print([paint("renderstate demo", .bold) + ": three renders, one owner of their state"])
    let encoder: any Encoder
    do {
      encoder = try FFmpeg(workplace, videos)
      screen.print(["ffmpeg renders; the bars move by the sidecar's notifications"])
    } catch let unusable as FFmpeg.Unusable {
      encoder = SimulatedEncoder()
      screen.print(["\(unusable.reason): the renders are simulated, the sidecar is real"])
    }
    screen.print([""])
    let report = try Story(workplace, encoder, screen).tell()
    screen.settle()
    screen.print(report.lines(width: Terminal.output.columnsIfDrawing, paint))
  }
}
