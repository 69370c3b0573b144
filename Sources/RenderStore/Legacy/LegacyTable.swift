internal import GRDB
internal import GRDBSQLite
internal import Glibc
internal import JSON

/// The table of another application's SQLite database in which it had the status of its videos.
///
/// It is read, once, from its first row to its last, as it is at the beginning; nothing is written there.
public final class LegacyTable {
  /// The names of the columns; nil where the table has none of the kind.
  public struct Columns: Sendable {
    public var id: String
    public var status: String
    public var renderID: String?
    public var bucketName: String?
    public var videoURL: String?
    public var error: String?
    public var progress: String?

    public init(
      id: String,
      status: String,
      renderID: String?,
      bucketName: String?,
      videoURL: String?,
      error: String?,
      progress: String?
    ) {
      self.id = id
      self.status = status
      self.renderID = renderID
      self.bucketName = bucketName
      self.videoURL = videoURL
      self.error = error
      self.progress = progress
    }

    /// In the order in which they are read.
    fileprivate var all: [String?] {
      [id, status, renderID, bucketName, videoURL, error, progress]
    }
  }

  /// What the table says of one id, NULL where it has no such column.
  public struct Row: Sendable {
    public let id: SQLValue
    public let status: SQLValue
    public let renderID: SQLValue
    public let bucketName: SQLValue
    public let videoURL: SQLValue
    public let error: SQLValue
    public let progress: SQLValue
    /// How many rows have this id; the rest is that of the first.
    public fileprivate(set) var copies = 1
  }

  public let path: String
  private let queue: DatabaseQueue
  /// nil behind the last row.
  private var statement: SQLStatement?
  /// Read already, to see whether it has the id of the one before.
  private var ahead: Row?

  /// Opens the database for reading only, and finds the table and its columns.
  ///
  /// - Throws: one line that says why it cannot be read, and what to do.
  public init(_ table: String, in path: String, columns: Columns) throws(StoreOpenError) {
    try Self.check(path)
    self.path = path
    do {
      var configuration = Configuration()
      configuration.readonly = true
      configuration.busyMode = .timeout(5)
      configuration.foreignKeysEnabled = false
      queue = try DatabaseQueue(path: path, configuration: configuration)
      statement = try queue.inDatabase { database in
        // A schema of unknown origin calls nothing that has effects (sqlite.org/security.html).
        try database.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
        try Self.check(database, path)
        try Self.check(table, columns, in: database, path)
        return try SQLStatement(database, Self.select(columns, from: table))
      }
      ahead = try read()
    } catch let error as StoreOpenError {
      throw error
    } catch let error as DatabaseError {
      throw StoreOpenError(Self.explanation(of: error, path))
    } catch {
      throw StoreOpenError("\(path) cannot be read: \(error)")
    }
  }

  deinit {
    statement = nil
    try? queue.close()
  }

  // MARK: - Reading

  /// The next rows, of each id one, in the order of their ids; none behind the last one.
  public func next(_ count: Int) throws(StoreError) -> [Row] {
    var rows: [Row] = []
    while rows.count < count, var row = ahead {
      ahead = try read()
      while let copy = ahead, copy.id.isSame(as: row.id) {
        row.copies += 1
        ahead = try read()
      }
      rows.append(row)
    }
    return rows
  }

  private func read() throws(StoreError) -> Row? {
    guard let statement else { return nil }
    guard try statement.step() else {
      self.statement = nil
      return nil
    }
    return Row(
      id: statement.foreignValue(0),
      status: statement.foreignValue(1),
      renderID: statement.foreignValue(2),
      bucketName: statement.foreignValue(3),
      videoURL: statement.foreignValue(4),
      error: statement.foreignValue(5),
      progress: statement.foreignValue(6)
    )
  }

  private static func select(_ columns: Columns, from table: String) -> String {
    // By id, so that those that are there twice stand together.
    """
    SELECT \(columns.all.map { $0.map(quoted) ?? "NULL" }.joined(separator: ", "))
    FROM \(quoted(table)) ORDER BY \(quoted(columns.id)) COLLATE BINARY
    """
  }

  private static func quoted(_ name: String) -> String {
    "\"" + name.replacing("\"", with: "\"\"") + "\""
  }

  // MARK: - What is refused

  private static func check(_ path: String) throws(StoreOpenError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw StoreOpenError("cannot open \(path): \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw StoreOpenError("\(path) is not a file; name the old application's database")
    }
  }

  private static func check(_ database: Database, _ path: String) throws {
    let applicationID = try Int64.fetchOne(database, sql: "PRAGMA application_id")
    guard applicationID != Schema.applicationID else {
      throw StoreOpenError(
        "\(path) is a database of renderstate itself; name the old application's database"
      )
    }
  }

  private static func check(
    _ table: String,
    _ columns: Columns,
    in database: Database,
    _ path: String
  ) throws {
    let present = try String.fetchAll(
      database,
      sql: "SELECT name FROM pragma_table_xinfo(?)",
      arguments: [table]
    )
    guard !present.isEmpty else {
      let tables = try String.fetchAll(
        database,
        sql: """
          SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
            AND name NOT GLOB 'sqlite_*' ORDER BY name
          """
      )
      throw StoreOpenError("\(path) has no table \(table); it has \(list(tables))")
    }
    // SQLite takes a quoted name that is no column for a text.
    let names = Set(present.map { $0.lowercased() })
    for column in columns.all.compactMap({ $0 }) where !names.contains(column.lowercased()) {
      throw StoreOpenError("the table \(table) has no column \(column); it has \(list(present))")
    }
  }

  private static func list(_ names: [String]) -> String {
    let shown = 40
    guard !names.isEmpty else { return "none" }
    return names.prefix(shown).joined(separator: ", ") + (names.count > shown ? ", …" : "")
  }

  private static func explanation(of error: DatabaseError, _ path: String) -> String {
    switch error.resultCode {
    case .SQLITE_NOTADB: "\(path) is not an SQLite database"
    case .SQLITE_CORRUPT: "\(path) is damaged; restore it from a backup, or try sqlite3's .recover"
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      "\(path) is locked by another program; close it and try again"
    default: "\(path) cannot be read: \(error.message ?? "\(error.resultCode)")"
    }
  }
}

extension SQLValue {
  fileprivate func isSame(as other: SQLValue) -> Bool {
    switch (self, other) {
    case (.null, .null): true
    case (.integer(let a), .integer(let b)): a == b
    case (.real(let a), .real(let b)): a == b
    case (.text(let a), .text(let b)): a.hasSameBytes(as: b)
    default: false
    }
  }
}
