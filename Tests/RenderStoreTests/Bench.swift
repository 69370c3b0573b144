import Foundation
import GRDB
import Glibc
import JSON
import Logging
import RenderModel
import Support
import Synchronization

@testable import RenderStore

/// A store in a folder of its own, and what tests do to it.
final class Bench {
  static let noon = Timestamp(milliseconds: 1_795_348_800_000)

  let folder: TemporaryFolder
  private(set) var store: RenderStore
  var now = Bench.noon

  init(_ options: RenderStore.Options = .quick) throws {
    folder = try TemporaryFolder()
    store = try RenderStore.open(folder.database, options)
  }

  var path: String { folder.database }

  /// Closes the store and opens the file again.
  func reopen() throws {
    store.close()
    store = try RenderStore.open(path)
  }

  /// Sends one command in a transaction of its own.
  @discardableResult
  func send(
    _ action: Command.Action,
    to id: String = "video",
    _ context: Context = Context(),
    expected: Expectations = Expectations(),
    key: String? = nil,
    timeouts: Timeouts = .off
  ) throws -> WriteTransaction.Outcome {
    let command = Command(
      id: id,
      action: action,
      context: context,
      expected: expected,
      idempotencyKey: key,
      actor: "host",
      timeouts: timeouts
    )
    return try store.apply(command, at: now)
  }

  /// Sends events one after the other.
  func take(_ events: Event..., of id: String = "video") throws {
    for event in events { try send(.event(event), to: id) }
  }

  /// Brings a render to a state the shortest way.
  func bring(_ id: String, to state: State) throws {
    switch state {
    case .idle: break
    case .queued: try take(.start, of: id)
    case .rendering: try take(.start, .progress, of: id)
    case .completed: try take(.start, .progress, .complete, of: id)
    case .failed: try take(.start, .fail, of: id)
    }
  }
}

extension RenderStore.Options {
  /// For tests that are not about a power cut, and never wait in vain.
  static let quick = RenderStore.Options(synchronous: .normal, busyTimeout: .seconds(120))

  /// For tests in which the locks are not to be had.
  static let impatient = RenderStore.Options(
    synchronous: .normal,
    busyTimeout: .milliseconds(20)
  )
}

extension RenderStore {
  static func open(
    _ path: String,
    _ options: Options = .quick
  ) throws(StoreOpenError) -> RenderStore {
    let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    return try open(path: path, options: options, logger: silent)
  }

  static func open(
    existing path: String,
    _ purpose: Purpose,
    _ options: Options = .quick
  ) throws(StoreOpenError) -> RenderStore {
    let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    return try open(existing: path, for: purpose, options: options, logger: silent)
  }

  /// One command in a transaction of its own.
  @discardableResult
  func apply(
    _ command: Command,
    at now: Timestamp
  ) throws(StoreError) -> WriteTransaction.Outcome {
    try write { transaction throws(StoreError) in try transaction.apply(command, at: now) }
  }

  /// Makes renders that have failed with long errors: about four pages of the log each.
  func fill(renders: Int) throws(StoreError) {
    let text = String(repeating: "x", count: 8_000)
    try write { transaction throws(StoreError) in
      for number in 0..<renders {
        for command in [
          Command(id: "video \(number)", action: .event(.start)),
          Command(id: "video \(number)", action: .event(.fail), context: Context(error: text)),
        ] {
          _ = try transaction.apply(command, at: Bench.noon)
        }
      }
    }
  }

  /// The whole log.
  func log() throws -> [Change] {
    try changes(after: 0, limit: .max)
  }
}

extension WriteTransaction.Outcome {
  var change: Change? {
    if case .changed(let change, _) = self { change } else { nil }
  }

  var refusal: Refusal? {
    if case .refused(let refusal, _) = self { refusal } else { nil }
  }

  var keyUse: Past.KeyUse? {
    if case .replayed(let use, _) = self { use } else { nil }
  }

  var render: Render {
    switch self {
    case .changed(_, let render), .replayed(_, let render), .refused(_, let render): render
    }
  }
}

extension StoreError {
  var isBusy: Bool {
    if case .busy = self { true } else { false }
  }

  /// Whether trying again may help; nil where the error is another one.
  var isRetryable: Bool? {
    if case .unavailable(_, let isRetryable) = self { isRetryable } else { nil }
  }
}

extension MetadataChange {
  /// The change that a JSON text spells.
  init(spelled text: String) throws {
    guard case .object(let object) = try JSON(reading: text) else { throw NotAnObject() }
    self.init(object)
  }

  private struct NotAnObject: Error {}
}

/// A number that several threads count on.
final class Counter: Sendable {
  private let count = Atomic(0)

  var value: Int { count.load(ordering: .sequentiallyConsistent) }

  /// Adds, and says what came out.
  @discardableResult
  func add(_ difference: Int) -> Int {
    count.add(difference, ordering: .sequentiallyConsistent).newValue
  }
}

/// Waits until somebody waits for a lock file, in the kernel's own list (proc(5)).
func waitForSomebody(atTheGate lock: String) {
  var status = stat()
  while stat(lock, &status) == 0 {
    let locks = ProcFile.text("/proc/locks") ?? ""
    let isWaitedFor = locks.split(separator: "\n").contains { line in
      line.contains("-> FLOCK") && line.contains(":\(status.st_ino) ")
    }
    if isWaitedFor { return }
    sched_yield()
  }
}

/// Another program on the same file: it knows nothing of the gate.
final class Shell {
  private let queue: DatabaseQueue

  init(_ path: String) throws {
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    queue = try DatabaseQueue(path: path, configuration: configuration)
  }

  func run(_ sql: String) throws {
    try queue.inDatabase { try $0.execute(sql: sql) }
  }

  /// The message of the error that a statement ends with; nil if it is carried out.
  func error(of sql: String) -> String? {
    do {
      try run(sql)
      return nil
    } catch let error as DatabaseError {
      return error.message ?? "no message"
    } catch {
      return "\(error)"
    }
  }

  /// The rows of a query, their values spelled as SQL literals.
  func rows(_ sql: String) throws -> [String] {
    try queue.inDatabase { database in
      try Row.fetchAll(database, sql: sql).map { row in
        row.databaseValues.map(\.description).joined(separator: "|")
      }
    }
  }

  /// How SQLite goes about a statement, step by step.
  func plan(of sql: String) throws -> [String] {
    try queue.inDatabase { database in
      let statement = try database.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
      statement.setUncheckedArguments(StatementArguments())
      return try Row.fetchAll(statement).map { $0["detail"] }
    }
  }

  /// Everything that the database holds.
  func dump() throws -> [String] {
    try ["renders", "transitions", "render_ids", "leases", "pruned_renders"].flatMap {
      table in
      try rows("SELECT '\(table)', * FROM \(table)")
    }
  }

  func close() throws {
    try queue.close()
  }
}
