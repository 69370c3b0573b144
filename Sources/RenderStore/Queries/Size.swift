internal import GRDBSQLite
internal import Glibc

extension RenderStore {
  /// How many bytes the database file has, and its write-ahead log beside it.
  public func size() throws(StoreError) -> (bytes: Int64, walBytes: Int64) {
    let bytes = try statements.pageCount.first { $0.integer(0) } ?? 0
    // By name: opening and closing the file would drop SQLite's locks (sqlite.org/howtocorrupt.html).
    var status = stat()
    let walBytes = stat(path + "-wal", &status) == 0 ? Int64(status.st_size) : 0
    return (bytes, walBytes)
  }

  /// The version of the SQLite library in use.
  public static var sqliteVersion: String { String(cString: sqlite3_libversion()) }
}
