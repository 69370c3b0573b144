internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import JSON
internal import RenderStore

/// How fast it is on this machine, beside what the machine allows.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure throughput and latency on this machine, on the disk of the database.",
    discussion: """
      Starts sidecars as a host does, on a temporary database beside the real one, and tells how \
      many requests a second they take and how long one waits. Beside it: a commit of one row by \
      SQLite alone, and a line to cat and back, which is what this disk and a pipe allow.

      The real database is neither opened nor needed. The temporary one takes up to a few \
      hundred megabytes, in a folder renderstate-bench-… that is removed at the end, on errors and \
      on Ctrl-C.

      Progress goes to stderr. Ends with code 0 when everything has been measured, with code 1 \
      and the reason on stderr when it cannot be.
      """
  )

  @Option(
    help: ArgumentHelp(
      "The real database, beside which to measure; it need not be there.",
      discussion: "Without it: $RENDERSTATE_DATABASE, else renderstate.sqlite in this folder.",
      valueName: "path"
    )
  )
  var database: String?

  @Option(
    help: ArgumentHelp("What an answer to a change promises, as for serve.", valueName: "level")
  )
  var synchronous = RenderStore.Synchronous.full

  @Option(help: ArgumentHelp("How long to measure, from 100ms to 60s.", valueName: "duration"))
  var duration = DurationArgument(milliseconds: 15_000)

  @Flag(help: "Print one JSON object instead of the table.")
  var json = false

  static let adviceForDisk =
    "make room on this disk, or name a database on another with --database"

  func validate() throws {
    guard (100...60_000).contains(duration.milliseconds) else {
      throw ValidationError("--duration must be from 100ms to 60s.")
    }
    try DatabasePath.validate(database)
  }

  func run() throws {
    let work = StoppableWork()
    let surroundings = Surroundings(folder: try folder(), synchronous: synchronous)
    let workplace = try ExitCode.onFailure {
      try Workplace(
        in: surroundings.folder,
        name: "renderstate-bench",
        advice: "name a database in a folder that is there and writable with --database"
      )
    }
    if !json, !write(surroundings.lines(.wanted(on: .output))) { work.hangUp() }
    let progress = BenchProgress(milliseconds: duration.milliseconds)
    let results = Promise<BenchResults>()
    let ending = work.run {
      let course = BenchCourse(workplace, synchronous, duration.milliseconds, progress)
      results.put(try course.run())
    }
    progress.settle()
    workplace.close()
    try ending.throwUnlessDone()
    let lines =
      json
      ? [results.wait().json(surroundings)]
      : results.wait().lines(width: Terminal.output.columnsIfDrawing, .wanted(on: .output))
    guard write(lines) else { throw ExitCode(128 + SIGPIPE) }
  }

  /// Returns false where nobody reads it.
  private func write(_ lines: [String]) -> Bool {
    writeText(lines.map { $0 + "\n" }.joined(), to: STDOUT_FILENO)
  }

  /// Where the database is or would be, with all links resolved: what is measured is its disk.
  private func folder() throws -> URL {
    let path = DatabasePath.chosen(database)
    guard !DatabasePath.namesPostgreSQL(path) else {
      throw ExitCode.failure(DatabasePath.noPostgreSQL)
    }
    let url = URL(filePath: path, directoryHint: .notDirectory).absoluteURL
    guard let resolved = realpath(path, nil) else { return url.deletingLastPathComponent() }
    defer { free(resolved) }
    let file = URL(filePath: String(cString: resolved), directoryHint: .checkFileSystem)
    guard !file.hasDirectoryPath else {
      throw ExitCode.failure(
        CommandError(message: "\(path) is a folder; give a file path with --database")
      )
    }
    return file.deletingLastPathComponent()
  }
}
