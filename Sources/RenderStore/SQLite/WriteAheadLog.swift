internal import GRDBSQLite

/// How far the write-ahead log has grown, when that calls for a checkpoint, and how long its file is.
///
/// To be asked and told under the gate.
final class WriteAheadLog {
  /// Pages in the log after the last commit; small again after it was begun anew.
  var pages: Int32 = 0
  private var checkpointed: Int32 = 0
  /// The bytes of its file, as far as it was looked at.
  private var fileBytes: Int64 = 0

  /// 16 MiB of pages: rare enough to cost little, small enough to be quick.
  private static let interval: Int32 = 4_096
  /// The file grows by so much at once; a group that writes more lengthens it itself.
  private static let step: Int64 = 1 << 20
  /// So much of it is to be left for the next group, at least.
  private static let reserve: Int64 = 1 << 17
  /// So much is read and written at once: SQLite writes less than 128 KiB, whatever it is given.
  private static let pieceBytes = 1 << 16
  /// A page of the database and its header (sqlite.org/fileformat2.html#walformat).
  private static let frameBytes: Int64 = 4_096 + 24

  var isCheckpointDue: Bool { uncheckpointed >= Self.interval }

  /// Whether it should no longer be put off.
  var isCheckpointOverdue: Bool { uncheckpointed >= 2 * Self.interval }

  private var uncheckpointed: Int32 {
    if pages < checkpointed { checkpointed = 0 }
    return pages - checkpointed
  }

  func noteCheckpoint(at pages: Int32) {
    checkpointed = max(pages, self.pages)
  }

  /// Makes the file longer than it has to be: a commit that lengthens it takes about twice as long to
  /// reach the disk, at least on ext4.
  ///
  /// Zeros are written behind its end: no frame begins so, and whoever reads the log stops there. On a
  /// full disk nothing is gained and nothing is lost.
  ///
  /// - Parameter connection: in a write transaction that has written nothing yet, so that nobody else
  ///   writes there.
  func lengthenIfShort(_ connection: OpaquePointer) {
    guard isShort else { return }
    withFile(of: connection) { file, methods in
      guard methods.xFileSize(file, &fileBytes) == SQLITE_OK, isShort else { return }
      let zeros = [UInt8](repeating: 0, count: Self.pieceBytes)
      let end = fileBytes + Self.step
      while fileBytes < end,
        methods.xWrite(file, zeros, Int32(zeros.count), fileBytes) == SQLITE_OK
      {
        fileBytes += Int64(zeros.count)
      }
    }
  }

  /// Writes all that the file holds once more, where it stands, so that the next sync is of all of it.
  ///
  /// - Parameter connection: in a write transaction that has written nothing yet, so that nobody else
  ///   writes there.
  func writeAgain(_ connection: OpaquePointer) {
    withFile(of: connection) { file, methods in
      guard methods.xFileSize(file, &fileBytes) == SQLITE_OK else { return }
      var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
      for offset in stride(from: 0, to: fileBytes, by: Self.pieceBytes) {
        let count = Int32(min(fileBytes - offset, Int64(Self.pieceBytes)))
        guard methods.xRead(file, &piece, count, offset) == SQLITE_OK else { return }
        _ = methods.xWrite(file, piece, count, offset)
      }
    }
  }

  /// Hands out SQLite's own handle: a second one would drop its locks when closed.
  private func withFile(
    of connection: OpaquePointer,
    _ body: (UnsafeMutablePointer<sqlite3_file>, sqlite3_io_methods) -> Void
  ) {
    var file: UnsafeMutablePointer<sqlite3_file>?
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file)
    if let file, let methods = file.pointee.pMethods?.pointee { body(file, methods) }
  }

  /// Whether the next group would lengthen the file, unless it will begin the log anew.
  private var isShort: Bool {
    pages > 0 && pages < 2 * Self.interval
      && fileBytes < Int64(pages) * Self.frameBytes + Self.reserve
  }
}
