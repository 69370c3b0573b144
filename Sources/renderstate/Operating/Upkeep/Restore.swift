internal import ArgumentParser
internal import JSON
internal import RenderProtocol
internal import RenderStore
internal import Sidecar

struct Restore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Put a backup in the place of the database.",
    discussion: """
      For a database that nobody has open: it is refused while a sidecar runs on it, or anybody \
      else has it open, and none can start before this has ended. The backup is copied, and \
      checked page by page, before anything changes; a damaged one, one of another application and \
      one of a newer renderstate are refused. What was there is kept beside it, as \
      <database>.before-restore- and the time, with its write-ahead log; where it is, is told.

      A backup of an older renderstate is taken as it is, and brought up to date by the sidecar \
      that opens it. Subscribers that have seen later changes get `gap`. If this is killed in the \
      middle, do it again.

      With --json: one object with the members path, source, bytes, renders, seq and kept, the \
      file that was there before, or null.
      """
  )

  @Argument(
    help: ArgumentHelp("The file that backup has made.", valueName: "src"),
    completion: .file()
  )
  var source: String

  @Option(
    help: ArgumentHelp(
      "The database: a file, which is replaced if it is there.",
      discussion: "Without it: $RENDERSTATE_DATABASE, else renderstate.sqlite in this folder.",
      valueName: "path"
    ),
    completion: .file()
  )
  var database: String?

  @Flag(help: "Print JSON instead, one object a line.")
  var json = false

  func validate() throws {
    guard !source.isEmpty else { throw ValidationError("<src> must name a file.") }
    try DatabasePath.validate(database)
  }

  func run() throws {
    let begin = { try DatabaseReplacement(of: DatabasePath.chosenFile(database)) }
    let (copy, kept) = try FileMaking.run(begin) { replacement, progress in
      let reader = try openSource(for: replacement)
      defer { reader.close() }
      let contents = try reader.copy(into: replacement.file) { progress.show($0.rawValue, $1) }
      let copy = CopiedDatabase(from: reader.path, to: replacement.file, contents)
      let time = SystemClock().now().iso8601.filter { !"-:".contains($0) }
      return (copy, try replacement.publish(keepingOldWith: ".before-restore-\(time)"))
    }
    let output = CommandOutput(isJSON: json)
    guard !json else {
      return try output.print(json: [copy]) { copy, writer in
        writer.beginObject()
        copy.writeMembers(to: &writer)
        writer.key("kept")
        writer.string(kept)
        writer.endObject()
      }
    }
    let old = kept.map { ["what was there is kept as \($0.printable)"] } ?? []
    try output.print(
      ["\(copy.path.printable): \(copy.extent), from \(copy.source.printable)"] + old
    )
  }

  private func openSource(for replacement: DatabaseReplacement) throws -> StoreReader {
    guard !replacement.replaces(source) else {
      throw CommandError(message: "\(source) is the database itself; name a backup of it")
    }
    do {
      return try StoreReader(path: source)
    } catch {
      throw CommandError(message: "nothing is restored: \(error.problem); name another backup")
    }
  }
}
