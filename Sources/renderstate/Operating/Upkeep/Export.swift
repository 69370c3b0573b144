internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import RenderStore

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Print everything in the database as JSON, an object a line.",
    discussion: """
      All of it as it is at one moment: a line with the member store, then one for each row, with \
      its table as the member, as renders, transitions (the log), render_ids and leases, in which \
      the columns are members, times in milliseconds since 1970; at the end a line with the member \
      end, which an export that was cut off has not. `import` makes a database of it.

      Sidecars go on meanwhile, however slowly the lines are taken: they come from a copy, which \
      needs as much room as the database, in $TMPDIR or, without it, beside the database. Progress \
      goes to stderr, on a terminal.
      """
  )

  @OptionGroup var database: ExistingDatabase

  func run() throws {
    let output = CommandOutput(isJSON: true)
    let begin = { try PartialFile(for: temporaryPath()) }
    try FileMaking.run(begin) { file, progress in
      let show: @Sendable (String, Double?) -> Void = { title, part in
        if !isShowingLines { progress.show(title, part) }
      }
      let copy = try database.read { reader in
        _ = try reader.copy(into: file) { show($0.rawValue, $1) }
        return try StoreReader(copy: file)
      }
      defer { copy.close() }
      // It is read on without a name, and gone with the process, however that ends.
      _ = file.abandon()
      try copy.export(to: output.write) { show("exporting", $0) }
    }
  }

  /// A terminal that shows the lines has no room for a bar.
  private var isShowingLines: Bool { isatty(STDOUT_FILENO) != 0 }

  private func temporaryPath() throws -> String {
    let path = try DatabasePath.chosenFile(database.database)
    let folder = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
    let name = "\(URL(filePath: path).lastPathComponent).export-\(getpid())"
    guard folder.isEmpty else { return "\(folder)/\(name)" }
    return URL(filePath: path).deletingLastPathComponent().appending(path: name).fileSystemPath
  }
}
