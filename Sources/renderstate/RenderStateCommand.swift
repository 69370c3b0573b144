internal import ArgumentParser

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
      """,
    version: version,
    subcommands: [Serve.self, Demo.self, Bench.self]
  )
}
