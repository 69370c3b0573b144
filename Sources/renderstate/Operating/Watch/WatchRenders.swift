internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import JSON
internal import RenderModel
internal import RenderStore

struct WatchRenders: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Follow renders as they change, whoever changes them.",
    discussion: """
      Begins with how the renders are now, or, where none are named, the active ones. Then each \
      change, of any process, as it happens; on a terminal bars for the active renders, and a line \
      for each change of state. The time of a line is of day, in UTC; with --utc it has its date.

      With --json: first the Status of each, then the Change of each change.

      Ctrl-C ends it, with code 130. With --until-terminal it ends by itself, with code 0 if all \
      are completed, with code 2 if one has failed.
      """
  )

  @Argument(help: "The ids of the renders, at most 1000; all renders without one.")
  var ids: [String] = []

  @Option(
    name: .customLong("state"),
    help: ArgumentHelp("Only changes to this state; may be repeated.", valueName: "state")
  )
  var states: [State] = []

  @Flag(help: "End as soon as all of the named renders are completed or have failed.")
  var untilTerminal = false

  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard ids.isEmpty || states.isEmpty else {
      throw ValidationError("Name renders or --state, not both.")
    }
    guard !untilTerminal || !ids.isEmpty else {
      throw ValidationError("--until-terminal goes with the ids of renders only.")
    }
    guard ids.count <= 1_000 else { throw ValidationError("At most 1000 renders can be named.") }
  }

  func run() throws {
    let work = StoppableWork()
    let screen = makeScreen()
    let hasFailed = Promise<Bool>()
    let ending = work.run {
      try database.use(for: .reading) { store in
        var watch = RenderWatch(store: store, ids: ids, states: states)
        hasFailed.put(try watch.follow(on: screen, untilTerminal: untilTerminal))
      }
    }
    screen.settle()
    switch ending {
    case .done: if hasFailed.wait() { throw ExitCode.no }
    case .failed(let error): throw ExitCode.failure(error)
    case .stopped(let signal): throw ExitCode(128 + signal)
    }
  }

  private func makeScreen() -> any WatchScreen {
    let output = output.makeOutput()
    if output.isJSON { return WatchJSON(output: output) }
    let form = WatchLine.Form(
      paint: output.presentation.paint,
      hasDate: self.output.utc,
      idWidth: ids.map(\.printable.columns).max() ?? WatchLine.usualIDWidth
    )
    return Terminal.output.canDraw
      ? WatchBars(form: form, keepsEnded: !ids.isEmpty) : WatchText(output: output, form: form)
  }
}
