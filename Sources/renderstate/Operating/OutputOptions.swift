internal import ArgumentParser
internal import Sidecar

/// How a command tells its results.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print JSON instead, one object a line.")
  var json = false

  @Flag(help: "Print times as they are, in UTC, instead of how long ago they were.")
  var utc = false

  func makeOutput() -> CommandOutput {
    CommandOutput(
      isJSON: json,
      presentation: Presentation(
        paint: .wanted(on: .output),
        times: utc ? .utc : .ago(from: SystemClock().now()),
        width: Terminal.output.columnsIfDrawing
      )
    )
  }
}
