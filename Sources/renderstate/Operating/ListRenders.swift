internal import ArgumentParser
internal import RenderModel
internal import RenderProtocol
internal import RenderStore
internal import Sidecar

struct ListRenders: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List renders, the last changed first.",
    discussion: """
      With --stuck: the queued and rendering ones that have had no event for so long, the longest \
      first. A duration is a number with ms, s, m or h, like 90s or 1.5h; a bare number is seconds.

      With --json: the Status of each. It is no error that there are none.
      """
  )

  @Option(
    name: .customLong("state"),
    help: ArgumentHelp("Only renders in this state; may be repeated.", valueName: "state")
  )
  var states: [State] = []

  @Option(
    help: ArgumentHelp("Only active renders without an event for this long.", valueName: "duration")
  )
  var stuck: DurationArgument?

  @OptionGroup var limit: Limit
  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard stuck == nil || states.allSatisfy(\.isActive) else {
      throw ValidationError("--stuck goes with --state queued and rendering only.")
    }
  }

  func run() throws {
    let output = output.makeOutput()
    let now = SystemClock().now()
    let count = limit.limit
    let renders = try database.use(for: .reading) { store in
      // One more than is shown tells whether there are more.
      if let stuck {
        return try store.listQuiet(
          states.isEmpty ? State.allCases.filter(\.isActive) : states,
          since: now.advanced(by: -stuck.milliseconds),
          limit: count + 1
        )
      }
      let states = states.isEmpty ? State.allCases : states
      return try store.list(states, behind: nil, limit: count + 1)
    }
    if output.isJSON {
      try output.print(json: renders.prefix(count)) { Status($0).write(to: &$1) }
    } else {
      let list = RenderList(renders: Array(renders.prefix(count)), hasMore: renders.count > count)
      try output.print(list.lines(output.presentation))
    }
  }
}

/// How many entries a command shows.
struct Limit: ParsableArguments {
  @Option(help: ArgumentHelp("The most that are shown, from 1 to 10000.", valueName: "count"))
  var limit = 100

  func validate() throws {
    guard (1...10_000).contains(limit) else {
      throw ValidationError("--limit must be from 1 to 10000.")
    }
  }
}
