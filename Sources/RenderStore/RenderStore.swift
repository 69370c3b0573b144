internal import GRDB
internal import GRDBSQLite

/// The renders, their log and the leases of one SQLite file.
///
/// One connection, used by one thread at a time: reads see what a write group has done so far, and
/// nothing of it is there for anybody else until it is committed. Several processes may have the
/// same file open.
public final class RenderStore {
  /// What a commit means.
  public enum Synchronous: String, CaseIterable, Sendable {
    /// It is on disk: nothing acknowledged is lost, whatever happens.
    case full
    /// It survives the process, not a power cut.
    case normal
  }

  public struct Options: Sendable {
    public var synchronous: Synchronous
    /// How long all locks together are waited for.
    public var busyTimeout: Duration
    /// Makes these waits shorter when the process is to stop.
    public var stop: StopNotice

    public init(
      synchronous: Synchronous = .full,
      busyTimeout: Duration = .seconds(5),
      stop: StopNotice = StopNotice()
    ) {
      self.synchronous = synchronous
      self.busyTimeout = busyTimeout
      self.stop = stop
    }
  }

  /// The file, with all links resolved.
  public let path: String
  /// nil for a store that was opened for reading.
  let gate: Gate?
  let options: Options
  private let queue: DatabaseQueue
  private let busyHandler: BusyHandler
  let handle: OpaquePointer
  private var preparedStatements: Statements?
  private var preparedPruning: PruningStatements?
  private let writeAheadLog = WriteAheadLog()
  /// Used within a transaction only, of which it knows the version of the data.
  var cache = RenderCache()

  init(
    path: String,
    queue: DatabaseQueue,
    busyHandler: BusyHandler,
    gate: Gate?,
    options: Options
  ) throws {
    self.path = path
    self.queue = queue
    self.busyHandler = busyHandler
    self.gate = gate
    self.options = options
    (handle, preparedStatements) = try queue.inDatabase { database in
      guard let handle = database.sqliteConnection else {
        throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed")
      }
      return (handle, try Statements(database))
    }
    // GRDB observes the transactions it runs; ours go past it, and it must not see halves of them.
    sqlite3_commit_hook(handle, nil, nil)
    sqlite3_rollback_hook(handle, nil, nil)
    let context = Unmanaged.passUnretained(writeAheadLog).toOpaque()
    sqlite3_wal_hook(
      handle,
      { context, _, _, pages in
        guard let context else { return SQLITE_OK }
        Unmanaged<WriteAheadLog>.fromOpaque(context).takeUnretainedValue().pages = pages
        return SQLITE_OK
      },
      context
    )
  }

  deinit {
    close()
  }

  var statements: Statements {
    guard let preparedStatements else { preconditionFailure("the store is closed") }
    return preparedStatements
  }

  func pruningStatements() throws(StoreError) -> PruningStatements {
    if let preparedPruning { return preparedPruning }
    do {
      let prepared = try queue.inDatabase { try PruningStatements($0) }
      preparedPruning = prepared
      return prepared
    } catch let error as DatabaseError {
      let message = error.message ?? "\(error.resultCode)"
      throw StoreError(code: error.extendedResultCode.rawValue, message: message)
    } catch {
      throw .defect("\(error)")
    }
  }

  // MARK: - Writing

  /// Runs a group of writes in one transaction; they are durable when this returns.
  ///
  /// - Parameters:
  ///   - body: the writes.
  ///   - answer: called as soon as they are durable, before other processes are told and let in; it must
  ///     not wait for anything.
  ///   - limit: how long all locks together are waited for; nil for as long as the options say.
  /// - Returns: what the body returns.
  /// - Throws: what the body throws, or why the group could not begin or commit; then nothing of it
  ///   is in the store.
  public func write<Result>(
    _ body: (inout WriteTransaction) throws(StoreError) -> Result,
    answering answer: () -> Void = {},
    waiting limit: Duration? = nil
  ) throws(StoreError) -> Result {
    try transact(waiting: limit, body, answering: answer)
  }

  /// Runs a group of writes as `write` does, and takes them back.
  ///
  /// - Returns: what the body returns, which tells what would come of it.
  /// - Throws: as `write`.
  public func rehearse<Result>(
    _ body: (inout WriteTransaction) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try transact(isRehearsal: true, body)
  }

  private func transact<Result>(
    isRehearsal: Bool = false,
    waiting duration: Duration? = nil,
    _ body: (inout WriteTransaction) throws(StoreError) -> Result,
    answering answer: () -> Void = {}
  ) throws(StoreError) -> Result {
    guard let gate else { throw .defect("a write to a store that was opened for reading") }
    let limit = WaitLimit(duration ?? options.busyTimeout, stop: options.stop)
    try gate.enter(until: limit)
    defer { gate.leave() }
    busyHandler.share(limit)
    defer { busyHandler.share(nil) }
    try statements.beginImmediate.run()
    do throws(StoreError) {
      writeAheadLog.lengthenIfShort(handle)
      cache.begin(with: try dataVersion())
      var transaction = WriteTransaction(store: self, head: try head())
      let result = try body(&transaction)
      guard !isRehearsal else {
        rollBack()
        return result
      }
      try transaction.saveDurations()
      try commit()
      answer()
      if transaction.hasChanges { gate.announceCommit() }
      return result
    } catch {
      rollBack()
      throw error
    }
  }

  /// Reads several things as they were at one moment.
  public func snapshot<Result>(
    _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    guard sqlite3_get_autocommit(handle) != 0 else { return try body() }
    try statements.begin.run()
    do throws(StoreError) {
      cache.begin(with: try dataVersion())
      let result = try body()
      try statements.commit.run()
      return result
    } catch {
      rollBack()
      throw error
    }
  }

  /// Commits, or sees to it that nothing of the group comes back.
  ///
  /// Where the log could not be synced, the commit stands in it all the same, and whoever recovers the log
  /// after a crash would take it for one that succeeded. So another one is written over it, which
  /// changes nothing.
  private func commit() throws(StoreError) {
    do throws(StoreError) {
      try statements.commit.run()
    } catch {
      rollBack()
      do throws(StoreError) {
        try statements.commitNothing.run()
      } catch {
        writeLogAgain()
      }
      throw error
    }
  }

  /// Makes sure that a later sync brings to the disk what one that failed has not.
  ///
  /// The system takes what it could not write for written, and never tries again. Who recovers the log
  /// after this process has died still reads it, appends to it, and has synced then what a power cut cuts off.
  private func writeLogAgain() {
    guard (try? statements.beginImmediate.run()) != nil else { return }
    writeAheadLog.writeAgain(handle)
    rollBack()
  }

  private func dataVersion() throws(StoreError) -> Int64 {
    try statements.selectDataVersion.first { $0.integer(0) } ?? 0
  }

  private func rollBack() {
    cache.forget()
    // Some errors have rolled back already (sqlite.org/lang_transaction.html).
    guard sqlite3_get_autocommit(handle) == 0 else { return }
    try? statements.rollback.run()
  }

  // MARK: - Keeping house

  /// Moves what the write-ahead log holds into the database file where that has become worth it; to be
  /// called between groups.
  ///
  /// It waits until nobody is at the gate, so that nobody waits for it; but where others are always there
  /// it takes its turn among them before the log has grown much more.
  public func checkpointIfDue() {
    guard let gate, writeAheadLog.isCheckpointDue else { return }
    if !gate.enterIfFree() {
      let limit = WaitLimit(options.busyTimeout, stop: options.stop)
      guard writeAheadLog.isCheckpointOverdue, (try? gate.enter(until: limit)) != nil else {
        return
      }
    }
    defer { gate.leave() }
    var pages: Int32 = 0
    let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, &pages, nil)
    if code & 0xFF == SQLITE_IOERR { writeLogAgain() }
    writeAheadLog.noteCheckpoint(at: pages)
  }

  /// A watch on commits of any process; nil where the system has none left.
  public func makeCommitWatch() -> CommitWatch? {
    CommitWatch(lockFile: path + RenderStore.lockSuffix)
  }

  /// Closes the connection, under the gate: the last one to close moves the log into the file, unless
  /// it was opened for reading.
  ///
  /// If the gate is not had in time the connection is left as it is, until the process ends; the
  /// next opening recovers.
  public func close() {
    guard preparedStatements != nil else { return }
    preparedStatements = nil
    preparedPruning = nil
    guard let gate else {
      try? queue.close()
      return
    }
    do throws(StoreError) {
      try gate.enter(until: WaitLimit(.seconds(1), stop: options.stop))
    } catch {
      _ = Unmanaged.passRetained(queue)
      return
    }
    defer { gate.leave() }
    try? queue.close()
  }

  static let lockSuffix = ".lock"
}
