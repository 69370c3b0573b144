internal import GRDB
internal import GRDBSQLite

/// Reads a database file that may be damaged, altered or of an older version, to copy it or to look
/// into it: it trusts nothing in it but its first page.
///
/// It stands outside the gate and may not write, as a store that was opened for reading.
public final class StoreReader {
  /// The file, with all links resolved.
  public let path: String
  /// Which version of the schema it says it has.
  public let schemaVersion: Int64
  let queue: DatabaseQueue

  /// Opens a file that is there.
  ///
  /// - Throws: one line that says why the file cannot be used, and what to do.
  public init(
    path: String,
    options: RenderStore.Options = RenderStore.Options()
  ) throws(StoreOpenError) {
    let path = try DatabaseFile.check(existing: path, for: .reading)
    self.path = path
    (queue, schemaVersion) = try RenderStore.connect(path, isReading: true, options: options) {
      queue in
      let version = try queue.inDatabase { database in
        let version = try RenderStore.schemaVersion(of: database, path: path)
        guard let version else { throw StoreOpenError.empty(path) }
        try RenderStore.prepareForReading(database)
        try RenderStore.set(SQLITE_DBCONFIG_DEFENSIVE, to: true, of: database)
        return version
      }
      return (queue, version)
    }
  }

  deinit {
    close()
  }

  public func close() {
    try? queue.close()
  }

  /// Reads several things as they were at one moment.
  func snapshot<Result>(_ body: () throws -> Result) throws -> Result {
    try statement("BEGIN").run()
    defer { try? statement("COMMIT").run() }
    return try body()
  }

  func statement(_ sql: String) throws(StoreError) -> SQLStatement {
    do {
      return try queue.inDatabase { try SQLStatement($0, sql) }
    } catch {
      throw StoreError(error)
    }
  }

  /// The first column of the first row as a number, 0 where there is none.
  func number(_ sql: String) throws(StoreError) -> Int64 {
    try statement(sql).first { $0.integer(0) } ?? 0
  }
}

/// What is in a database at one moment.
public struct StoreContents: Sendable, Equatable {
  /// The head of the log.
  public let seq: Int64
  public let renders: Int64
}

extension StoreReader {
  /// What is in it, in the order in which it may be large.
  public func contents() throws(StoreError) -> StoreContents {
    StoreContents(
      seq: try number("SELECT max(seq) FROM transitions"),
      renders: try number("SELECT count(*) FROM renders")
    )
  }

  /// Has SQLite look for what is wrong in the file.
  ///
  /// - Parameter isFull: also whether the indexes hold what the tables do, which takes much longer.
  /// - Returns: a line for each finding, up to 100 of them.
  /// - Throws: why it cannot be looked for.
  public func damage(isFull: Bool) throws(StoreError) -> [String] {
    let rows = try statement("PRAGMA \(isFull ? "integrity_check" : "quick_check")")
      .all { $0.text(0) }
    guard rows != ["ok"] else { return [] }
    // A row may have several lines, the first of them naming the database.
    return rows.flatMap { $0.split(separator: "\n").map(String.init) }.filter {
      !$0.hasPrefix("***")
    }
  }
}

extension StoreError {
  /// What GRDB has thrown.
  init(_ error: any Error) {
    switch error {
    case let error as StoreError: self = error
    case let error as DatabaseError:
      let message = error.message ?? "\(error.resultCode)"
      self.init(code: error.extendedResultCode.rawValue, message: message)
    default: self = .defect("\(error)")
    }
  }
}
