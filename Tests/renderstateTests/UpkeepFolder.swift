import Foundation
import Glibc
import JSON
import RenderModel
import RenderStore
import Support
import Testing

/// A folder with a database in it, and the commands that keep it.
struct UpkeepFolder {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  var database: String { folder.database }
  func path(_ name: String) -> String { folder.path(name) }

  var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
  }

  /// Runs a command on the database.
  func run(
    _ arguments: String...,
    environment: [String: String] = [:]
  ) throws -> SidecarProcess.Outcome {
    try SidecarProcess.run(
      arguments + ["--database", database],
      folder: folder.url.path,
      environment: environment
    )
  }

  /// Expects that a command is refused with a line on stderr and code 1, and changes no file.
  func expectRefusal(
    _ arguments: String...,
    saying words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try contents
    let outcome = try SidecarProcess.run(
      arguments + ["--database", database],
      folder: folder.url.path
    )
    #expect(outcome.exit == .code(1), sourceLocation: sourceLocation)
    #expect(outcome.output == "", sourceLocation: sourceLocation)
    #expect(
      outcome.errors.hasPrefix("renderstate: ") && outcome.errors.contains(words)
        && outcome.errors.split(separator: "\n").count == 1,
      "\(outcome.errors)",
      sourceLocation: sourceLocation
    )
    #expect(try contents == before, sourceLocation: sourceLocation)
  }

  /// What is in the folder; the files that SQLite and the gate make anew at any time excepted.
  private var contents: [String: Data?] {
    get throws {
      var contents: [String: Data?] = [:]
      for name in try files where !name.hasSuffix("-shm") && !name.hasSuffix(".lock") {
        let data = try? Data(contentsOf: URL(filePath: path(name)))
        guard !name.hasSuffix("-wal") || data?.isEmpty == false else { continue }
        contents[name] = .some(data)
      }
      return contents
    }
  }

  /// A database with so many renders, each of them completed.
  func fill(_ count: Int, metadata: Int = 0) throws {
    let store = try RenderStore.open(path: database, logger: .silent)
    defer { store.close() }
    let text = String(repeating: "x", count: metadata)
    guard case .object(let object)? = try? JSON(reading: #"{"text":"\#(text)"}"#) else { return }
    let first = Context(metadata: metadata > 0 ? MetadataChange(object) : nil)
    for group in 0..<(count + 99) / 100 {
      try store.write { transaction throws(StoreError) in
        for number in group * 100..<min(count, group * 100 + 100) {
          let steps = [(Event.start, first), (.progress, Context(renderID: "r-\(number)"))]
          for (event, context) in steps + [(.complete, Context())] {
            let id = "video \(number)"
            let command = Command(id: id, action: .event(event), context: context)
            _ = try transaction.apply(command, at: OperatedStore.now)
          }
        }
      }
      store.checkpointIfDue()
    }
  }

  /// Writes over some of the middle of a file.
  func damage(_ path: String) throws {
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    try file.seek(toOffset: 8_192)
    try file.write(contentsOf: Data(repeating: 0xFF, count: 20_000))
    try file.close()
  }

  /// The head of a database's log.
  func head(_ path: String) throws -> String {
    try SidecarProcess.sqlite3(path, "SELECT max(seq) FROM transitions")
  }

  func mode(_ path: String) throws -> mode_t {
    var status = stat()
    try #require(stat(path, &status) == 0)
    return status.st_mode & 0o777
  }
}
