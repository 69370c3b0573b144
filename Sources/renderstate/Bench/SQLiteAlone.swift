internal import RenderStore
internal import SQLiteConfig

/// A table of one row, changed by SQLite and nothing else, one commit each.
///
/// This is no way into the store: it is what the disk allows a program that writes SQL itself.
final class SQLiteAlone {
  /// What the write-ahead log holds before SQLite moves it into the file, 1,000 pages of 4 KiB.
  ///
  /// It is brought to this size first: while it still grows, each commit costs more.
  private static let logBytes = 1_000 * 4_096

  private var connection: OpaquePointer?
  private var update: OpaquePointer?

  /// Makes the file.
  func open(path: String, synchronous: RenderStore.Synchronous) throws {
    try check(sqlite3_open(path, &connection))
    let schema = """
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = \(synchronous.rawValue);
      CREATE TABLE counters (id INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
      INSERT INTO counters VALUES (1, 0);
      CREATE TABLE ballast (bytes BLOB NOT NULL) STRICT;
      INSERT INTO ballast VALUES (zeroblob(\(Self.logBytes)));
      PRAGMA wal_checkpoint(RESTART);
      """
    try check(sqlite3_exec(connection, schema, nil, nil, nil))
    let sql = "UPDATE counters SET count = count + 1 WHERE id = 1"
    try check(sqlite3_prepare_v2(connection, sql, -1, &update, nil))
  }

  func commit() throws {
    _ = sqlite3_step(update)
    try check(sqlite3_reset(update))
  }

  func close() {
    sqlite3_finalize(update)
    sqlite3_close(connection)
  }

  private func check(_ code: Int32) throws {
    guard code != SQLITE_OK else { return }
    let reason = String(cString: sqlite3_errmsg(connection))
    throw CommandError(message: "SQLite cannot write: \(reason); \(Bench.adviceForDisk)")
  }
}
