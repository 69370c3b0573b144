internal import ArgumentParser
internal import RenderModel
internal import RenderProtocol
internal import RenderStore

struct ShowStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Count the renders, and tell how large the database is.",
    discussion: """
      With --json: one object with the members store, renders, oldestActiveAt and durations, as \
      the method stats answers them, and oldestActive, the Status of the active render whose last event is the longest ago, \
      or null. What a sidecar counts about itself, its method stats tells.
      """
  )

  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  func run() throws {
    let output = output.makeOutput()
    let overview = try database.use(for: .reading) { try StoreOverview(of: $0) }
    if output.isJSON {
      try output.print(json: [overview]) { $0.write(to: &$1) }
    } else {
      try output.print(overview.lines(output.presentation))
    }
  }
}
