internal import Glibc

/// What must hold of the file before SQLite may touch it.
enum DatabaseFile {
  /// Looks at the path without opening the file.
  ///
  /// - Returns: the path with all links resolved, so that every process locks the same file.
  static func check(_ path: String) throws(StoreOpenError) -> String {
    try checkName(path)
    let path = try resolve(path)
    var status = stat()
    guard stat(path, &status) == 0 else { return path }
    try check(status, path)
    try checkWritable(status, path)
    return path
  }

  /// The same of a file that has to be there.
  static func check(
    existing path: String,
    for purpose: RenderStore.Purpose
  ) throws(StoreOpenError) -> String {
    try checkName(path)
    var status = stat()
    guard let resolved = realPath(path), stat(resolved, &status) == 0 else {
      guard errno == ENOENT || errno == ENOTDIR else {
        throw StoreOpenError("cannot open \(path): \(String(cString: strerror(errno)))")
      }
      throw StoreOpenError(
        "there is no database \(path); name the one that is meant with --database"
      )
    }
    try check(status, resolved)
    switch purpose {
    case .reading:
      guard access(resolved, R_OK) == 0 else {
        throw StoreOpenError(
          "\(resolved) may not be read by this user; do this as the user who runs the sidecars"
        )
      }
    case .changing:
      try checkWritable(status, resolved)
    }
    return resolved
  }

  static func checkName(_ path: String) throws(StoreOpenError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw StoreOpenError("the database has no name; give a file path with --database")
    }
  }

  private static func check(_ status: stat, _ path: String) throws(StoreOpenError) {
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR:
      throw StoreOpenError("\(path) is a folder; give a file path with --database")
    default:
      throw StoreOpenError("\(path) is not a regular file; give a file path with --database")
    }
    // SQLite takes a file of a single byte for an empty one, and writes over it.
    guard status.st_size == 0 || status.st_size >= smallestPage else {
      throw StoreOpenError("\(path) is not an SQLite database; choose another file with --database")
    }
    // SQLite would take it for a new one, and throw the log away.
    guard status.st_size > 0 || !hasWriteAheadLog(path) else {
      throw StoreOpenError(
        """
        \(path) is empty, and the write-ahead log beside it is not: it was a database; restore it from a \
        backup, or remove \(path)-wal to begin a new one
        """
      )
    }
    guard status.st_nlink == 1 else {
      throw StoreOpenError(
        """
        \(path) has more than one name (a hard link): two names have two write-ahead logs, and damage \
        the database; copy it instead
        """
      )
    }
  }

  private static func checkWritable(_ status: stat, _ path: String) throws(StoreOpenError) {
    guard status.st_mode & 0o222 != 0, access(path, R_OK | W_OK) == 0 else {
      throw StoreOpenError("\(path) is read-only; make it writable for this user")
    }
  }

  private static func hasWriteAheadLog(_ path: String) -> Bool {
    var status = stat()
    return stat(path + "-wal", &status) == 0 && status.st_size > 0
  }

  private static let smallestPage = 512

  /// Makes an empty file that only this user may read, if there is none; SQLite gives the files
  /// beside it the same mode.
  static func make(_ path: String) throws(StoreOpenError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor >= 0 {
      // Nobody has this file open yet, so that no locks are dropped here.
      close(descriptor)
    } else if errno != EEXIST {
      throw StoreOpenError("cannot make \(path): \(String(cString: strerror(errno)))")
    }
  }

  static func resolve(_ path: String) throws(StoreOpenError) -> String {
    if let resolved = realPath(path) { return resolved }
    guard errno == ENOENT else {
      throw StoreOpenError("cannot open \(path): \(String(cString: strerror(errno)))")
    }
    let folder: String
    let name: Substring
    if let slash = path.lastIndex(of: "/") {
      folder = slash == path.startIndex ? "/" : String(path[..<slash])
      name = path[path.index(after: slash)...]
    } else {
      (folder, name) = (".", path[...])
    }
    guard let resolved = realPath(folder) else {
      throw StoreOpenError(
        "cannot open \(path): the folder \(folder) does not exist; make it, or choose another file"
      )
    }
    guard !name.isEmpty else {
      throw StoreOpenError("\(path) is a folder; give a file path with --database")
    }
    let named = resolved == "/" ? "/\(name)" : "\(resolved)/\(name)"
    // A link to a file that is yet to be made: that file's name counts.
    guard let target = targetOfLink(named) else { return named }
    return try resolve(target.hasPrefix("/") ? target : "\(resolved)/\(target)")
  }

  private static func targetOfLink(_ path: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return nil }
      let count = readlink(path, start, buffer.count)
      guard count > 0 else { return nil }
      return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
  }

  static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
