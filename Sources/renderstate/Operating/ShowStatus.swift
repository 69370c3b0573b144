internal import ArgumentParser
internal import RenderModel
internal import RenderProtocol
internal import RenderStore

struct ShowStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show renders as they are now.",
    discussion: """
      With --json: the Status of each id, in the order asked, as getStatus answers it; an id that \
      was never started is idle there. Ends with code 2 if one was never started.
      """
  )

  @Argument(help: "The ids of the renders.")
  var ids: [String]

  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  func run() throws {
    let output = output.makeOutput()
    let found = try database.use(for: .reading) { store in
      try store.snapshot { () throws(StoreError) in
        var found: [RenderDetails] = []
        for id in ids {
          let render = try store.render(id)
          found.append(RenderDetails(render: render, lastChange: try store.change(render.seq)))
        }
        return found
      }
    }
    let started = found.filter { $0.render.version > 0 }
    if output.isJSON {
      try output.print(json: found) { Status($0.render).write(to: &$1) }
    } else {
      for (index, details) in started.enumerated() {
        let gap = index > 0 ? [""] : []
        try output.print(gap + details.lines(output.presentation))
      }
      for details in found where details.render.version == 0 {
        StandardErrorLog.write("renderstate: \(details.render.id.printable) was never started")
      }
    }
    if started.count < found.count { throw ExitCode.no }
  }
}
