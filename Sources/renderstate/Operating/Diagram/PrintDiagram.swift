internal import ArgumentParser

struct PrintDiagram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diagram",
    abstract: "Draw the machine from its table.",
    discussion: """
      mermaid: for Markdown, as in the README. dot: for Graphviz. ascii: for a terminal. scxml: the \
      W3C's XML. xstate: JSON, as in protocol/state-machine.json without its prose.

      A regenerate is not drawn: it begins a new run, where the machine begins.
      """
  )

  @Option(help: ArgumentHelp("The language to draw in.", valueName: "format"))
  var format = DiagramFormat.mermaid

  func run() throws {
    OwnedOutput.openStandardStreams()
    try CommandOutput(isJSON: false).print(MachineDiagram().lines(format))
  }
}

enum DiagramFormat: String, CaseIterable, ExpressibleByArgument {
  case mermaid
  case dot
  case ascii
  case scxml
  case xstate
}
