internal import Foundation
internal import GRDB
internal import GRDBSQLite
public import Logging
internal import SQLiteConfig

extension RenderStore {
  /// Opens the database at a path, making it if there is none.
  ///
  /// - Throws: one line that says why the file cannot be used, and what to do.
  public static func open(
    path: String,
    options: Options = Options(),
    logger: Logger
  ) throws(StoreOpenError) -> RenderStore {
    let path = try DatabaseFile.check(path)
    warnOfNetworkFilesystem(path, logger)
    return try behindGate(of: path, options) { gate throws(StoreOpenError) in
      try DatabaseFile.make(path)
      return try connect(path, gate: gate, options: options) { database in
        let version = try schemaVersion(of: database, path: path)
        try prepareForChanges(database, options)
        if version ?? 0 < Schema.version { try migrate(database, from: version ?? 0) }
      }
    }
  }

  /// What a database that is there is opened for.
  public enum Purpose: Sendable {
    /// Past the gate, and without the right to write: such a connection neither commits nor moves
    /// anything out of the write-ahead log, not even when it is the last one to be closed. So it reads
    /// though somebody stands in the gate for good.
    case reading
    /// Behind the gate, as a sidecar.
    case changing
  }

  /// Opens a database that is there: none is made, and one of an older version stays as it is.
  ///
  /// - Throws: one line that says why the file cannot be used, and what to do.
  public static func open(
    existing path: String,
    for purpose: Purpose,
    options: Options = Options(),
    logger: Logger
  ) throws(StoreOpenError) -> RenderStore {
    let path = try DatabaseFile.check(existing: path, for: purpose)
    warnOfNetworkFilesystem(path, logger)
    func connect(gate: Gate?) throws(StoreOpenError) -> RenderStore {
      try self.connect(path, gate: gate, options: options) { database in
        guard let version = try schemaVersion(of: database, path: path) else {
          throw StoreOpenError.empty(path)
        }
        guard version == Schema.version else {
          throw StoreOpenError(
            """
            \(path) was written by an older renderstate (schema \(version), this one knows \
            \(Schema.version)); start `renderstate serve` on it once, which brings it up to date
            """
          )
        }
        switch purpose {
        case .reading: try prepareForReading(database)
        case .changing: try prepareForChanges(database, options)
        }
      }
    }
    switch purpose {
    case .reading: return try connect(gate: nil)
    case .changing: return try behindGate(of: path, options, connect)
    }
  }

  private static func warnOfNetworkFilesystem(_ path: String, _ logger: Logger) {
    guard let filesystem = NetworkFilesystem.name(of: path) else { return }
    logger.warning(
      """
      \(path) is on a network filesystem (\(filesystem)): its locks may not hold between machines, \
      and then changes are lost or the database is damaged; keep it on a local disk
      """
    )
  }

  private static func behindGate(
    of path: String,
    _ options: Options,
    _ body: (Gate) throws(StoreOpenError) -> RenderStore
  ) throws(StoreOpenError) -> RenderStore {
    let gate = try Gate(path: path + lockSuffix)
    let deadline = Date(timeIntervalSinceNow: options.busyTimeout / .seconds(1))
    do throws(StoreError) {
      try gate.enter(until: deadline)
    } catch {
      throw StoreOpenError(
        "\(path) is locked by another process for longer than \(options.busyTimeout); try again"
      )
    }
    defer { gate.leave() }
    return try body(gate)
  }

  /// Opens a connection; one without a gate cannot write.
  private static func connect(
    _ path: String,
    gate: Gate?,
    options: Options,
    _ prepare: (Database) throws -> Void
  ) throws(StoreOpenError) -> RenderStore {
    try connect(path, isReading: gate == nil, options: options) { queue in
      try queue.inDatabase { database in
        try prepare(database)
        // The triggers are for everybody else: see Schema.
        try set(SQLITE_DBCONFIG_ENABLE_TRIGGER, to: false, of: database)
        try set(SQLITE_DBCONFIG_DEFENSIVE, to: true, of: database)
      }
      return try RenderStore(path: path, queue: queue, gate: gate, options: options)
    }
  }

  /// Opens a connection and makes something of it, or closes it where that fails.
  static func connect<Made>(
    _ path: String,
    isReading: Bool,
    options: Options,
    _ make: (DatabaseQueue) throws -> Made
  ) throws(StoreOpenError) -> Made {
    Self.configureLibrary
    do {
      var configuration = configuration(options)
      configuration.readonly = isReading
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      do {
        return try make(queue)
      } catch {
        try? queue.close()
        throw error
      }
    } catch let error as StoreOpenError {
      throw error
    } catch let error as DatabaseError {
      throw StoreOpenError(explanation(of: error, path: path, isReading: isReading))
    } catch {
      throw StoreOpenError("cannot open \(path): \(error)")
    }
  }

  /// Sets up SQLite for this process, once and before it is used: no counting of memory, which takes a
  /// lock at each allocation, and enough memory at hand for all prepared statements.
  ///
  /// Where SQLite is in use already it stays as it is, which is slower and nothing else.
  private static let configureLibrary: Void = {
    _ = sqlite3_config_set(SQLITE_CONFIG_MEMSTATUS, 0)
    _ = sqlite3_config_lookaside(1_200, 500)
  }()

  private static func configuration(_ options: Options) -> Configuration {
    var configuration = Configuration()
    // SQLite counts in 32 bits of milliseconds, GRDB traps beyond them.
    let longest = Duration.milliseconds(Int32.max)
    configuration.busyMode = .timeout(min(options.busyTimeout, longest) / .seconds(1))
    configuration.foreignKeysEnabled = false
    configuration.allowsUnsafeTransactions = true
    return configuration
  }

  /// Makes sure that the database is ours, and of a version we know, before anything is changed.
  ///
  /// - Returns: the version of its schema; nil if it has none yet.
  static func schemaVersion(of database: Database, path: String) throws -> Int64? {
    let applicationID = try Int64.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let version = try Int64.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    let hasTables = try Bool.fetchOne(database, sql: "SELECT count(*) > 0 FROM sqlite_schema")
    if applicationID == 0, version == 0, hasTables == false { return nil }
    guard applicationID == Schema.applicationID else {
      throw StoreOpenError(
        "\(path) is a database of another application; choose another file with --database"
      )
    }
    guard version >= 0 else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
    guard version <= Schema.version else {
      throw StoreOpenError(
        """
        \(path) was written by a newer renderstate (schema \(version), this one knows \
        \(Schema.version)); update renderstate
        """
      )
    }
    return version
  }

  private static func prepareForChanges(_ database: Database, _ options: Options) throws {
    guard sqlite3_db_readonly(database.sqliteConnection, "main") == 0 else {
      throw DatabaseError(resultCode: .SQLITE_READONLY)
    }
    try database.execute(
      sql: """
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = \(options.synchronous.rawValue);
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA journal_size_limit = 67108864;
        """
    )
    try checkLogIsWritable(database, options)
    try prepareForReading(database)
  }

  /// Where the log cannot be opened for writing, SQLite opens it for reading without a word, and every
  /// change would be refused from then on.
  private static func checkLogIsWritable(_ database: Database, _ options: Options) throws {
    sqlite3_busy_timeout(database.sqliteConnection, 0)
    defer {
      let milliseconds = min(options.busyTimeout / .milliseconds(1), Double(Int32.max))
      sqlite3_busy_timeout(database.sqliteConnection, Int32(milliseconds))
    }
    do {
      try database.inTransaction(.immediate) { .rollback }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
      // Somebody writes; it is not the log that is in the way.
    }
  }

  static func prepareForReading(_ database: Database) throws {
    try database.execute(
      sql: """
        PRAGMA trusted_schema = OFF;
        PRAGMA cell_size_check = ON;
        PRAGMA mmap_size = 0;
        PRAGMA cache_size = -8192;
        """
    )
    sqlite3_limit(database.sqliteConnection, SQLITE_LIMIT_ATTACHED, 0)
    sqlite3_limit(database.sqliteConnection, SQLITE_LIMIT_LENGTH, 16 << 20)
  }

  static func set(_ option: Int32, to isOn: Bool, of database: Database) throws {
    let code = sqlite3_db_config_set(database.sqliteConnection, option, isOn ? 1 : 0)
    guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
  }

  /// Makes the schema this version's, in one transaction.
  ///
  /// Not by GRDB's `DatabaseMigrator`: it makes a table of its own before the first migration, and
  /// a process killed between the two would leave a database that looks like somebody else's.
  private static func migrate(_ database: Database, from version: Int64) throws {
    try database.inTransaction(.immediate) {
      guard let sql = Schema.migration(from: version) else { return .rollback }
      try database.execute(sql: sql)
      try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
      try database.execute(sql: "PRAGMA user_version = \(Schema.version)")
      return .commit
    }
  }

  private static func explanation(
    of error: DatabaseError,
    path: String,
    isReading: Bool
  ) -> String {
    switch error.resultCode {
    case .SQLITE_NOTADB:
      return "\(path) is not an SQLite database; choose another file with --database"
    case .SQLITE_CORRUPT:
      return "\(path) is damaged; restore it from a backup, or look at it with sqlite3's .recover"
    case .SQLITE_CANTOPEN where isReading, .SQLITE_READONLY where isReading:
      return """
        \(path) cannot be read by this user, who may not make the files beside it that SQLite needs \
        while no sidecar has it open; do this as the user who runs the sidecars
        """
    case .SQLITE_READONLY, .SQLITE_PERM:
      return "\(path) is read-only; make it and its folder writable for this user"
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return "\(path) is locked by another program; close it and try again"
    case .SQLITE_CANTOPEN:
      return "\(path) cannot be opened; make it and its folder readable and writable for this user"
    default:
      let reason = error.message ?? "result code \(error.resultCode.rawValue)"
      return "\(path) cannot be opened: \(reason)"
    }
  }
}
