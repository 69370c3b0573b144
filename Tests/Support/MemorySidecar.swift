internal import Foundation
internal import Glibc
public import JSON
public import JSONRPC
internal import Logging
public import RenderModel
public import RenderStore
public import Sidecar

/// A sidecar in this process, on a thread of its own, with the test as its host.
///
/// To be used by one thread at a time.
public final class MemorySidecar {
  private let folder: TemporaryFolder
  private let connection: Connection
  private let host: MemoryHost
  private let end = Ending()
  private var lastID = 0
  /// Notifications that came before the answer somebody waited for.
  private var stash: ArraySlice<JSON> = []

  /// Opens the folder's database and serves it.
  public init(
    _ folder: TemporaryFolder,
    clock: any Clock = SystemClock(),
    defaultTimeouts: Timeouts = .off,
    retention: Retention = Retention(),
    busyTimeout: Duration = .seconds(60),
    maximumLineBytes: Int = defaultMaximumLineBytes
  ) throws {
    self.folder = folder
    let store = try RenderStore.inFolder(folder, busyTimeout: busyTimeout)
    (connection, host) = Connection.memory(
      maximumLineBytes: maximumLineBytes,
      readingParams: Sidecar.readingParams
    )
    let settings = Settings(
      version: "0.0.0",
      defaultTimeouts: defaultTimeouts,
      retention: retention,
      clock: clock,
      logger: Logger(label: "sidecar in memory") { _ in SwiftLogNoOpLogHandler() }
    )
    let handover = Handover(store: store)
    let thread = Thread { [connection, end] in
      Self.run(handover, connection, settings, end)
    }
    thread.stackSize = 4 << 20
    thread.start()
  }

  deinit {
    connection.hangUp()
    try? end.latch.wait(for: "the end of the sidecar")
  }

  private static func run(
    _ handover: Handover,
    _ connection: Connection,
    _ settings: Settings,
    _ end: Ending
  ) {
    guard let store = handover.store else { return }
    handover.store = nil
    Sidecar(store: store, connection: connection, settings: settings).run()
    if !connection.outbox.isBroken { store.close() }
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    end.processorTime = .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    end.latch.open()
  }

  /// Carries the store to the thread that uses it from then on.
  private final class Handover: @unchecked Sendable {
    var store: RenderStore?

    init(store: RenderStore) {
      self.store = store
    }
  }

  private final class Ending: @unchecked Sendable {
    let latch = Latch()
    /// Set before the latch opens.
    var processorTime = Duration.zero
  }

  // MARK: - Sending

  /// Sends a line as it is.
  public func send(_ line: String) {
    host.send(line)
  }

  /// Sends bytes as they are, without an end of line.
  public func send(_ bytes: [UInt8]) {
    host.send(bytes)
  }

  /// Sends a request, and waits for nothing.
  ///
  /// - Returns: its id: 1, 2, 3, and so on.
  @discardableResult
  public func post(_ method: String, _ params: String = "{}") -> Int64 {
    lastID += 1
    host.send(request(method, params, id: lastID))
    return Int64(lastID)
  }

  /// Sends a request without an id.
  public func notify(_ method: String, _ params: String = "{}") {
    host.send(#"{"jsonrpc":"2.0","method":"\#(method)","params":\#(params)}"#)
  }

  /// Sends lines from a thread of its own, for a host that reads meanwhile.
  public func sendInBackground(_ lines: [String]) {
    let thread = Thread { [host] in
      for line in lines { host.send(line) }
    }
    thread.start()
  }

  /// Sends the end of the input.
  public func endInput() {
    host.end()
  }

  // MARK: - Receiving

  /// The next line, whatever it is.
  public func receive() throws -> JSON {
    if let stashed = stash.popFirst() { return stashed }
    guard let line = try receiveLine() else { throw Unexpected("the sidecar has ended") }
    return try JSON(reading: line)
  }

  /// The next line; nil when none will come.
  public func receiveLine() throws -> String? {
    let giveUp: @Sendable () -> Void = { [connection] in connection.hangUp() }
    return try Patience.waiting(for: "a line", giveUp: giveUp) { host.receive() }
  }

  /// The next line, which has to be the answer to the request of an id.
  public func answer(to id: Int64) throws -> JSON {
    let message = try receive()
    guard message["id"] == .integer(id), message["method"] == nil else {
      throw Unexpected("expected the answer to \(id), got \(message)")
    }
    return message
  }

  /// The next line, which has to be a notification of a method; its params.
  public func notification(_ method: String = "status") throws -> JSON {
    let message = try receive()
    guard message["method"]?.string == method, let params = message["params"] else {
      throw Unexpected("expected the notification \(method), got \(message)")
    }
    return params
  }

  // MARK: - Asking

  /// Sends a request and waits for its answer; notifications that come first are kept for
  /// `receive`.
  public func call(_ method: String, _ params: String = "{}") throws -> JSON {
    let id = post(method, params)
    while true {
      guard let line = try receiveLine() else {
        throw Unexpected("the sidecar has ended before it answered \(method)")
      }
      let message = try JSON(reading: line)
      if message["method"] != nil {
        stash.append(message)
      } else if message["id"] == .integer(id) {
        return message
      } else {
        throw Unexpected("expected the answer to \(id), got \(message)")
      }
    }
  }

  /// The result of a request, which has to have one.
  @discardableResult
  public func result(_ method: String, _ params: String = "{}") throws -> JSON {
    let answer = try call(method, params)
    guard let result = answer["result"] else { throw Unexpected("\(method) failed: \(answer)") }
    return result
  }

  /// The error of a request, which has to fail.
  public func error(_ method: String, _ params: String = "{}") throws -> JSON {
    let answer = try call(method, params)
    guard let error = answer["error"] else { throw Unexpected("\(method) succeeded: \(answer)") }
    return error
  }

  /// Sends an event that has to be accepted; `rest` are further params, like `"context":{…}`.
  @discardableResult
  public func transition(_ id: String, _ event: String, _ rest: String...) throws -> JSON {
    let params = [#""id":\#(quoted(id)),"event":"\#(event)""#] + rest
    return try result("transition", "{\(params.joined(separator: ","))}")
  }

  /// Subscribes; the subscription's name.
  public func subscribe(_ params: String = "{}") throws -> String {
    guard let name = try result("subscribe", params)["subscription"]?.string else {
      throw Unexpected("a subscription without a name")
    }
    return name
  }

  // MARK: - Ending

  /// Ends the input, waits for the sidecar and returns what it has still written.
  @discardableResult
  public func stop() throws -> [JSON] {
    host.end()
    return try rest()
  }

  /// All that is still written, up to the end, which has to come.
  public func rest() throws -> [JSON] {
    var messages = Array(stash)
    stash = []
    while let line = try receiveLine() { messages.append(try JSON(reading: line)) }
    try join()
    return messages
  }

  /// Waits for the end without taking what is written.
  ///
  /// - Returns: the processor time that the sidecar has used.
  @discardableResult
  public func join() throws -> Duration {
    try end.latch.wait(for: "the end of the sidecar")
    return end.processorTime
  }

  /// Breaks the connection and drops all that is under way; what is committed stays.
  public func crash() throws {
    connection.hangUp()
    try join()
  }
}

/// A request as a line.
public func request(_ method: String, _ params: String = "{}", id: Int) -> String {
  #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"#
}

extension RenderStore {
  /// The store of a folder's database, without the cost of durability.
  public static func inFolder(
    _ folder: TemporaryFolder,
    busyTimeout: Duration = .seconds(60)
  ) throws -> RenderStore {
    try RenderStore.open(
      path: folder.database,
      options: Options(synchronous: .normal, busyTimeout: busyTimeout),
      logger: Logger(label: "store of a test") { _ in SwiftLogNoOpLogHandler() }
    )
  }
}
