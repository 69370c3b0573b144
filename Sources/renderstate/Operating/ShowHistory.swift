internal import ArgumentParser
internal import RenderProtocol
internal import RenderStore

struct ShowHistory: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Show who did what to a render, the newest last.",
    discussion: """
      The last changes of the render, from the log. With --json: the Change of each. Ends with \
      code 2 if the render was never started.
      """
  )

  @Argument(help: "The id of the render.")
  var id: String

  @OptionGroup var limit: Limit
  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  func run() throws {
    let output = output.makeOutput()
    let changes = try database.use(for: .reading) { store in
      try store.latestChanges(of: id, limit: limit.limit)
    }
    if output.isJSON {
      try output.print(json: changes) { $1.change($0) }
    } else if changes.isEmpty {
      StandardErrorLog.write("renderstate: \(id.printable) was never started")
    } else {
      try output.print(History(changes: changes).lines(output.presentation))
    }
    if changes.isEmpty { throw ExitCode.no }
  }
}
