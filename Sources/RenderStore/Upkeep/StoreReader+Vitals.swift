internal import GRDBSQLite
internal import Glibc
public import RenderModel

/// One of the files of a database.
public struct StoreFile: Sendable {
  public let path: String
  public let bytes: Int64
  /// Who may do what, as in chmod(1).
  public let mode: UInt32
  public let owner: UInt32
}

/// Renders or leases that have something in common, and the first of them.
public struct Group: Sendable {
  public let count: Int64
  public let first: String
  /// Since when, or until when, the first one is so.
  public let moment: Timestamp
}

extension StoreReader {
  /// The files of the database that are there: itself, and those beside it.
  public var files: [StoreFile] {
    // By name: opening and closing the file would drop SQLite's locks.
    ["", "-wal", "-shm", RenderStore.lockSuffix].compactMap { suffix in
      var status = stat()
      guard stat(path + suffix, &status) == 0 else { return nil }
      return StoreFile(
        path: path + suffix,
        bytes: Int64(status.st_size),
        mode: status.st_mode & 0o777,
        owner: status.st_uid
      )
    }
  }

  /// The name of the network filesystem it is on; nil on a disk of this machine.
  public var networkFilesystem: String? { NetworkFilesystem.name(of: path) }

  /// The version of the schema that this program makes.
  public static var newestSchemaVersion: Int64 { Schema.version }

  /// Whether the SQLite in use can lose commits where a checkpoint meets a commit of somebody else
  /// (sqlite.org/wal.html#walresetbug): 3.7.0 to 3.51.2, but for 3.44.6 and 3.50.7 and their like.
  public static var hasWALResetBug: Bool { hasWALResetBug(sqlite3_libversion_number()) }

  static func hasWALResetBug(_ version: Int32) -> Bool {
    switch version {
    case 3_044_006..<3_045_000, 3_050_007..<3_051_000: false
    default: (3_007_000..<3_051_003).contains(version)
    }
  }

  /// Active renders whose deadline was before a moment, and that nobody has failed.
  public func overdue(before moment: Timestamp) throws(StoreError) -> Group? {
    let statement = try statement(
      """
      SELECT count(*), id, min(deadline_at) FROM renders
      WHERE deadline_at > 0 AND deadline_at < ?1
      """
    )
    return try group(statement, moment)
  }

  /// Active renders that have no deadline, and no event since a moment.
  public func quiet(since moment: Timestamp) throws(StoreError) -> Group? {
    let statement = try statement(
      """
      SELECT count(*), id, min(updated_at) FROM renders
      WHERE (state = 'queued' OR state = 'rendering') AND updated_at < ?1 AND ifnull(deadline_at, 0) = 0
      """
    )
    return try group(statement, moment)
  }

  /// Leases that ran out before a moment and were not released.
  public func abandonedLeases(at moment: Timestamp) throws(StoreError) -> Group? {
    let statement = try statement(
      """
      SELECT count(*), name, min(expires_at) FROM leases
      WHERE expires_at > \(Int64.min) AND expires_at <= ?1
      """
    )
    return try group(statement, moment)
  }

  /// Leases that will not run out before a moment.
  public func leases(beyond moment: Timestamp) throws(StoreError) -> Group? {
    let statement = try statement(
      "SELECT count(*), name, max(expires_at) FROM leases WHERE expires_at > ?1"
    )
    return try group(statement, moment)
  }

  private func group(
    _ statement: SQLStatement,
    _ moment: Timestamp
  ) throws(StoreError) -> Group? {
    statement.bind(1, moment.milliseconds)
    return try statement.first { row in
      guard row.integer(0) > 0 else { return nil }
      return Group(count: row.integer(0), first: row.text(1), moment: row.time(2))
    } ?? nil
  }
}
