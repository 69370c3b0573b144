internal import ArgumentParser
internal import JSON
internal import RenderStore

struct BackUp: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy the database, as it is at one moment, beside running sidecars.",
    discussion: """
      The copy is one file that only you may read: whole, checked page by page, and on disk when \
      this ends with code 0. `restore` brings it back. Sidecars go on meanwhile; what they write \
      after the moment is not in the copy.

      Nothing is written over. Until the copy is whole it is called <dest>.renderstate-partial; \
      what a killed backup has left under such a name, the next one into the same folder removes.

      Progress goes to stderr, on a terminal. With --json: one object with the members path, \
      source, bytes, renders and seq, the number of the last change that is in the copy.
      """
  )

  @Argument(
    help: ArgumentHelp("The file to make; it must not be there.", valueName: "dest"),
    completion: .file()
  )
  var destination: String

  @OptionGroup var database: ExistingDatabase

  @Flag(help: "Print JSON instead, one object a line.")
  var json = false

  func validate() throws {
    guard !destination.isEmpty else { throw ValidationError("<dest> must name a file.") }
  }

  func run() throws {
    let begin = { try PartialFile(for: destination) }
    let copy = try FileMaking.run(begin) { file, progress in
      try database.read { reader in
        let contents = try reader.copy(into: file) { progress.show($0.rawValue, $1) }
        let copy = CopiedDatabase(from: reader.path, to: file, contents)
        try file.publish()
        return copy
      }
    }
    let output = CommandOutput(isJSON: json)
    guard !json else {
      return try output.print(json: [copy]) { copy, writer in
        writer.beginObject()
        copy.writeMembers(to: &writer)
        writer.endObject()
      }
    }
    try output.print(["\(copy.path.printable): \(copy.extent), checked and on disk"])
  }
}
