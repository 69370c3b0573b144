internal import ArgumentParser

/// Each command names itself: ArgumentParser would take the name from that of the type, by looking through
/// all types of the program, which was a fifth of the time from start to first answer.
@main
struct RenderStateCommand: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "renderstate",
    abstract: "Owns the state of video renders: one machine, one store, pushes instead of polling.",
    discussion: """
      A host program starts `renderstate serve` and talks to it over its stdin and stdout, one \
      JSON-RPC 2.0 message a line:

        $ echo '{"jsonrpc":"2.0","id":1,"method":"stats"}' \\
            | renderstate serve --database renders.sqlite

      To see it at work with a real video: `renderstate demo`. To see how fast it is on your disk: \
      `renderstate bench`.

      The other commands are for people with a shell: they work on a database beside the \
      sidecars that serve it.

      Exit codes: 0, done. 1, something is wrong: the database or something else cannot be used, \
      stderr says what and what to do. 2, the answer is no: a render that was never started, an \
      event that was refused. 64, wrong arguments. 128 and the number of a signal, like 130 after \
      Ctrl-C and 141 where nobody reads the output any more.
      """,
    version: version,
    subcommands: [Serve.self, Demo.self, Bench.self],
    groupedSubcommands: [
      CommandGroup(
        name: "Operating",
        subcommands: [
          ShowStatus.self, ListRenders.self, ShowHistory.self, WatchRenders.self, ShowStats.self,
          PrintMetrics.self, SendEvent.self, ImportLegacy.self, PrintDiagram.self,
        ]
      ),
      CommandGroup(
        name: "Upkeep",
        subcommands: [
          BackUp.self, Restore.self, Doctor.self, Prune.self, Export.self, Import.self,
        ]
      ),
    ]
  )

  static func main() {
    // First of all: a host may think better of it before the arguments are read.
    if CommandLine.arguments.dropFirst().first == Serve.configuration.commandName {
      _ = Serve.watch
    }
    main(nil)
  }
}
