internal import ArgumentParser
internal import JSON
internal import RenderProtocol
internal import RenderStore
internal import Sidecar

struct PrintMetrics: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics",
    abstract: "Print the metrics of a store for Prometheus.",
    discussion: """
      In Prometheus' text format. For node_exporter's textfile collector, once a minute or so:

        $ renderstate metrics --output /srv/textfile/renderstate.prom

      The file is replaced as a whole or left as it was, and the umask says who may read it. What \
      the names mean is in protocol/README.md. With --json: one object for each name, with its \
      samples.
      """
  )

  @OptionGroup var database: ExistingDatabase

  @Flag(help: "Print JSON instead, one object a line.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "Write into this file instead of stdout.",
      discussion: "The textfile collector reads names that end in .prom.",
      valueName: "file"
    ),
    completion: .file()
  )
  var output: String?

  func validate() throws {
    if output == "" { throw ValidationError("--output must name a file.") }
  }

  func run() throws {
    let plain = Presentation(paint: Paint(isOn: false), times: .utc, width: nil)
    let stdout = CommandOutput(isJSON: json, presentation: plain)
    try database.use(for: .reading) { store in
      let families = StoreMetrics.families(of: try StoreFigures.reading(store).figures)
      if let output {
        try ReplacedFile(path: output).write(bytes(of: families))
      } else if json {
        try stdout.print(json: families) { $0.write(to: &$1) }
      } else {
        try stdout.print(families.flatMap(\.lines))
      }
    }
  }

  private func bytes(of families: [MetricFamily]) -> [UInt8] {
    guard json else { return Array(families.flatMap(\.lines).map { $0 + "\n" }.joined().utf8) }
    var writer = JSONWriter()
    for family in families {
      family.write(to: &writer)
      writer.endLine()
    }
    return writer.take()
  }
}
