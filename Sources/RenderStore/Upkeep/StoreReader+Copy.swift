internal import GRDB
internal import Glibc

extension StoreReader {
  /// So many pages are copied at once.
  private static let portion: CInt = 256
  /// After so many portions what was written is handed over to the disk: 4 MiB.
  private static let portionsPerSync = 4

  /// Copies the database, as it is at one moment, into a file of its own, and makes sure that the copy
  /// is whole; others go on writing meanwhile.
  ///
  /// All of it is read in one transaction: else the copy would begin anew whenever somebody else has
  /// committed. The write-ahead log cannot begin anew before that transaction has ended, so nothing
  /// else is done in it.
  ///
  /// - Parameters:
  ///   - file: what is made; it is not published here.
  ///   - progress: told how much of the work is done, from 0 to 1; what it throws ends the work.
  /// - Returns: what is in the copy.
  /// - Throws: one line that says what went wrong, and what to do.
  public func copy(
    into file: PartialFile,
    progress: @escaping (CopyStep, Double) -> Void = { _, _ in }
  ) throws(UpkeepError) -> StoreContents {
    // SQLite would take the copy for something else.
    let ownNames = ["-wal", "-shm", "-journal", RenderStore.lockSuffix].map { path + $0 }
    guard !ownNames.contains(file.destination) else {
      throw UpkeepError("\(file.destination) belongs to the database; name another file")
    }
    do {
      let contents = try snapshot {
        let contents = try self.contents()
        try writePages(into: file) { progress(.copying, $0) }
        return contents
      }
      try Self.makeOneFile(of: file)
      progress(.checking, 1)
      try check(file, holds: contents)
      return contents
    } catch let error as StoreError {
      throw UpkeepError("\(path) cannot be copied: \(error); `renderstate doctor` tells more")
    } catch {
      throw file.error(error)
    }
  }

  private func writePages(into file: PartialFile, progress: @escaping (Double) -> Void) throws {
    let target = try file.openForWriting()
    try target.inDatabase { target in
      try target.execute(sql: "PRAGMA cache_size = 64")
      try queue.inDatabase { source in
        var portions = 0
        try source.backup(to: target, pagesPerStep: Self.portion) { step in
          portions += 1
          if portions.isMultiple(of: Self.portionsPerSync) { try file.writeToDisk() }
          progress(Double(step.completedPageCount) / Double(max(1, step.totalPageCount)))
        }
      }
    }
    try target.close()
  }

  /// Says in the file's head that it has no write-ahead log (sqlite.org/fileformat2.html, 1.3.3): so
  /// it is a file on its own, that is read without another one beside it.
  private static func makeOneFile(of file: PartialFile) throws(UpkeepError) {
    let versions: [UInt8] = [1, 1]
    guard pwrite(file.descriptor, versions, 2, 18) == 2 else {
      throw UpkeepError("\(file.destination) cannot be written: \(reason())")
    }
  }

  private func check(_ file: PartialFile, holds contents: StoreContents) throws {
    let copy = try StoreReader(copy: file)
    defer { copy.close() }
    let damage = try copy.damage(isFull: true)
    guard damage.isEmpty else {
      throw UpkeepError(
        """
        \(path) is damaged: \(damage[0]); `renderstate doctor` tells more; \
        restore a backup, or look at it with sqlite3's .recover
        """
      )
    }
    guard copy.schemaVersion == schemaVersion, try copy.contents() == contents else {
      throw UpkeepError(
        "the copy of \(path) does not hold what it should: the disk of \(file.destination) is unsound"
      )
    }
  }
}

/// What is being done for a copy.
public enum CopyStep: String, Sendable {
  case copying
  case checking
}

extension PartialFile {
  /// Opens the file as a database.
  ///
  /// Nobody has use for half of it, so that there is nothing to roll back; it is on disk when it is
  /// published.
  func openForWriting() throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    configuration.allowsUnsafeTransactions = true
    let queue = try whileNamed { try DatabaseQueue(path: path, configuration: configuration) }
    try queue.inDatabase { database in
      try database.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
    }
    return queue
  }

  /// Why the file could not be made.
  func error(_ error: any Error) -> UpkeepError {
    switch error {
    case let error as UpkeepError: error
    case let error as DatabaseError where error.resultCode == .SQLITE_FULL:
      UpkeepError("\(destination) cannot be made: the disk is full; make room there")
    case let error as DatabaseError where error.extendedResultCode == .SQLITE_IOERR_WRITE:
      UpkeepError("\(destination) cannot be written: I/O error; look after its disk")
    default:
      UpkeepError("\(destination) cannot be made: \(StoreError(error))")
    }
  }
}
