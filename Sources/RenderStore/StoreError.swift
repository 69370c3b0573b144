internal import GRDBSQLite

/// Why the store could not do what it was asked; nothing of it was done.
public enum StoreError: Error, Sendable {
  /// The locks were not had in time.
  case busy
  /// The disk or the file does not do its part: full, broken, read-only, corrupt.
  case unavailable(reason: String, isRetryable: Bool)
  /// SQL of ours was refused: a defect.
  case defect(String)
}

extension StoreError: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    switch self {
    case .busy: "the database is locked by other processes; try again"
    case .unavailable(let reason, _): "the database cannot be used: \(reason)"
    case .defect(let detail): "a defect of renderstate: \(detail)"
    }
  }
}

extension StoreError {
  /// The file holds something that nobody wrote there.
  static func damaged(_ what: String) -> StoreError {
    .unavailable(reason: "the database is damaged: it holds \(what)", isRetryable: false)
  }

  /// What a result code of SQLite means for who asked (sqlite.org/rescode.html).
  init(code: Int32, message: String) {
    let primary = code & 0xFF
    switch primary {
    case SQLITE_BUSY, SQLITE_LOCKED:
      self = .busy
    case SQLITE_FULL, SQLITE_IOERR, SQLITE_NOMEM, SQLITE_CANTOPEN, SQLITE_PROTOCOL,
      SQLITE_INTERRUPT:
      self = .unavailable(reason: message, isRetryable: true)
    case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
      self = .unavailable(reason: message, isRetryable: false)
    default:
      self = .defect("SQLite \(code): \(message)")
    }
  }
}

/// Why a database cannot be used: one line that says what to do.
public struct StoreOpenError: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) {
    self.description = description
  }

  /// What is wrong, without what to do about it.
  public var problem: String {
    description.firstRange(of: "; ").map { String(description[..<$0.lowerBound]) } ?? description
  }

  static func empty(_ path: String) -> StoreOpenError {
    StoreOpenError("\(path) is empty: no sidecar has made a database of it yet")
  }
}

/// Why a file of a database could not be made, copied or replaced: one line that says what to do.
public struct UpkeepError: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}
