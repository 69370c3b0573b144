internal import ArgumentParser
internal import Glibc
internal import JSON
internal import RenderStore

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Make a database of an export.",
    discussion: """
      Reads what `export` has printed from stdin, and makes a new database of it: all of it or \
      nothing. It is checked page by page, and its log has to lead to the renders; an export that \
      was cut off or edited is refused, with the line. Nothing may stand where the database is to \
      be; to replace one, import beside it, and `restore` the result.

      Progress goes to stderr, on a terminal. With --json: one object with the members path, bytes, \
      renders and seq.
      """
  )

  /// No line of an export is longer.
  private static let longestLine = 64 << 20

  @Option(
    help: ArgumentHelp(
      "The database to make: a file that is not there.",
      discussion: "Without it: $RENDERSTATE_DATABASE, else renderstate.sqlite in this folder.",
      valueName: "path"
    ),
    completion: .file()
  )
  var database: String?

  @Flag(help: "Print JSON instead, one object a line.")
  var json = false

  func validate() throws {
    try DatabasePath.validate(database)
  }

  func run() throws {
    let made = try FileMaking.run(takePlace) { replacement, progress in
      let contents = try read(into: replacement.file, progress)
      let result = (contents, replacement.file.destination, replacement.file.bytes)
      _ = try replacement.publish(keepingOldWith: "")
      return result
    }
    let (contents, path, bytes) = made
    let output = CommandOutput(isJSON: json)
    guard !json else {
      return try output.print(json: [contents]) { contents, writer in
        writer.beginObject()
        writer.key("path")
        writer.string(path)
        writer.key("bytes")
        writer.integer(bytes)
        contents.writeMembers(to: &writer)
        writer.endObject()
      }
    }
    try output.print(["\(path.printable): \(contents.told), \(size(ofBytes: bytes))"])
  }

  private func takePlace() throws -> DatabaseReplacement {
    let path = try DatabasePath.chosenFile(database)
    guard isatty(STDIN_FILENO) == 0 else {
      throw CommandError(message: "there is nothing to read; give it an export on stdin: < FILE")
    }
    let replacement = try DatabaseReplacement(of: path)
    guard !replacement.isReplacing else {
      replacement.abandon()
      throw CommandError(
        message: """
          \(replacement.path) is there already; name a new file with --database, and bring it \
          into its place with `renderstate restore`
          """
      )
    }
    return replacement
  }

  private func read(
    into file: PartialFile,
    _ progress: WorkProgress
  ) throws -> StoreContents {
    let store = try StoreImport(into: file)
    let lines = LineReader(STDIN_FILENO, longestLine: Self.longestLine)
    var status = stat()
    let isFile = fstat(STDIN_FILENO, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    let bytes = Double(max(1, status.st_size))
    var read = 0
    while let line = lines.next() {
      try store.add(line)
      read += line.count + 1
      progress.show("importing", isFile ? min(1, Double(read) / bytes) : nil)
    }
    guard !lines.hasOverlongLine else {
      throw CommandError(message: "nothing is imported: a line is longer than any of an export")
    }
    return try store.finish(progress: progress.show)
  }
}
