internal import ArgumentParser
internal import Logging
internal import RenderStore

/// The database that a command works on, beside whoever else has it open; none is made.
struct ExistingDatabase: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The database: a file that is there.",
      discussion: "Without it: $RENDERSTATE_DATABASE, else renderstate.sqlite in this folder.",
      valueName: "path"
    ),
    completion: .file()
  )
  var database: String?

  func validate() throws {
    try DatabasePath.validate(database)
  }

  /// Opens the database, and closes it behind the body.
  ///
  /// - Throws: the exit code for what went wrong, which has been told on stderr, or what the body
  ///   throws as such a code.
  func use<Result>(
    for purpose: RenderStore.Purpose,
    _ body: (RenderStore) throws -> Result
  ) throws -> Result {
    try withPath { path in
      let logger = Logger(label: "renderstate") { _ in StandardErrorLog() }
      let store = try RenderStore.open(existing: path, for: purpose, logger: logger)
      defer { store.close() }
      return try body(store)
    }
  }

  /// The same for what reads the file though it may be damaged or of an older version.
  func read<Result>(_ body: (StoreReader) throws -> Result) throws -> Result {
    try withPath { path in
      let reader = try StoreReader(path: path)
      defer { reader.close() }
      return try body(reader)
    }
  }

  private func withPath<Result>(_ body: (String) throws -> Result) throws -> Result {
    try ExitCode.onFailure {
      OwnedOutput.openStandardStreams()
      return try body(DatabasePath.chosenFile(database))
    }
  }
}
