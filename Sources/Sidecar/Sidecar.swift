public import JSONRPC
internal import Logging
internal import RenderModel
internal import RenderProtocol
public import RenderStore

/// Serves one connection from one store, until the host wants no more.
///
/// One thread runs it and is the only one to use the store: requests take effect in the order in
/// which they came, because nothing else happens between them.
public final class Sidecar {
  /// The most requests of one commit.
  private static let groupLimit = 512
  /// So many bytes of answers end a group, and so many may wait for the host before the next one.
  private static let answersLimit = 1 << 20
  /// So many bytes may wait for the host before notifications wait in the log.
  private static let notificationsLimit = 1 << 19
  /// How often the store is looked at though nothing told of a change, in milliseconds: a program
  /// that writes without our gate marks no commit.
  private static let tick: Int64 = 250
  /// The same where the system has no watch left, and somebody waits for changes.
  private static let tickWithoutWatch: Int64 = 5
  /// How long a host that takes nothing holds up a stop.
  private static let stallLimit = Duration.seconds(5)

  private let connection: Connection
  private let session: Session
  private let router = Router()
  private let watch: CommitWatch?
  private var queue = RequestQueue()
  private var responses = ResponseWriter()
  private var nextDeadline: Timestamp?
  private var lastTick: Timestamp?
  /// So many of the next requests run in groups of their own, after a group of them failed.
  private var requestsAlone = 0
  private var feedHasMore = false
  private var stall: Stall?
  private var shutdownSince: ContinuousClock.Instant?

  public init(store: RenderStore, connection: Connection, settings: Settings) {
    self.connection = connection
    session = Session(store: store, settings: settings, methods: router.routes.map(\.name))
    watch = store.makeCommitWatch()
    if watch == nil {
      settings.logger.warning(
        "no inotify watch is left: changes of other processes are looked for every few milliseconds"
      )
    }
  }

  private var store: RenderStore { session.store }
  private var logger: Logger { session.settings.logger }
  private var clock: any Clock { session.settings.clock }

  /// Serves until the input ends, `shutdown` is asked for, or the host has closed its end; returns
  /// when all that is owed has been written, or the host has taken nothing of it for 5 s.
  public func run() {
    while !connection.outbox.isBroken, !isFinished, !hasStalled {
      if queue.isEmpty { queue.append(connection.inbox.takeAll()) }
      if !queue.isEmpty, mayHandleRequests { handleRequests() }
      lookAfterDeadlines()
      tellChanges()
      limitShutdown()
      sleepUntilNews()
    }
    finish()
  }

  // MARK: - Stopping

  /// Whether the end has been asked for.
  ///
  /// A `shutdown` that stands behind answers which the host does
  /// not take counts as soon as it is read.
  private var isStopping: Bool {
    if session.isShuttingDown || connection.inbox.isEnding { return true }
    return queue.contains(where: isShutdown) || connection.inbox.contains(where: isShutdown)
  }

  private func isShutdown(_ item: Inbox.Item) -> Bool {
    switch item.content {
    case .success(.request(let request)): request.method == ShutdownMethod.name
    case .success(.notification(let notification)): notification.method == ShutdownMethod.name
    case .success(.response), .failure: false
    }
  }

  private var isFinished: Bool {
    guard queue.isEmpty else { return false }
    return session.isShuttingDown ? connection.inbox.isQuiet : connection.inbox.isExhausted
  }

  /// Whether the host has taken nothing for too long while we stop.
  private var hasStalled: Bool {
    guard !hasRoomForNotifications, isStopping else {
      stall = nil
      return false
    }
    let written = connection.outbox.bytesWritten
    guard let stall, stall.bytesWritten == written else {
      stall = Stall(bytesWritten: written, since: .now)
      return false
    }
    return ContinuousClock.now - stall.since > Self.stallLimit
  }

  /// Ends the input of a host that goes on writing behind its `shutdown`.
  private func limitShutdown() {
    guard session.isShuttingDown else { return }
    let since = shutdownSince ?? .now
    shutdownSince = since
    if ContinuousClock.now - since > Self.stallLimit { connection.inbox.end() }
  }

  private struct Stall {
    let bytesWritten: UInt64
    let since: ContinuousClock.Instant
  }

  /// Tells what is still owed, and that nothing will follow.
  private func finish() {
    connection.inbox.end()
    repeat {
      tellChanges()
      guard feedHasMore else { break }
      sleepUntilRoom()
    } while !connection.outbox.isBroken && !hasStalled
    session.feed.endAll(&responses)
    flush()
    connection.outbox.end()
    guard !hasStalled else { return }
    _ = connection.outbox.waitUntilWritten(stallLimit: Self.stallLimit)
  }

  // MARK: - Sleeping

  private var hasRoomForAnswers: Bool {
    connection.outbox.hasRoom(below: Self.answersLimit)
  }

  /// Whether the host takes its answers, and its notifications are not left far behind.
  private var mayHandleRequests: Bool {
    guard hasRoomForAnswers else { return false }
    guard feedHasMore, session.feed.isLagging, !responses.isInsideBatch else { return true }
    // What was asked for before the end is done even if nobody reads any more.
    return !hasRoomForNotifications && isStopping
  }

  private var hasRoomForNotifications: Bool {
    connection.outbox.hasRoom(below: Self.notificationsLimit)
  }

  private var hasSomethingToDo: Bool {
    if connection.outbox.isBroken || isFinished { return true }
    if queue.isEmpty ? connection.inbox.hasNews : mayHandleRequests { return true }
    return feedHasMore && hasRoomForNotifications
  }

  private func sleepUntilNews() {
    guard !hasSomethingToDo else { return }
    let isUnwatched = watch == nil && !session.feed.subscriptions.isEmpty
    var limit = isUnwatched ? Self.tickWithoutWatch : Self.tick
    if let nextDeadline {
      limit = min(limit, nextDeadline.milliseconds(since: clock.now()))
    }
    connection.doorbell.wait(
      milliseconds: Int32(max(limit, 1)),
      orReadable: watch?.descriptor ?? -1
    ) {
      !hasSomethingToDo
    }
    watch?.clear()
  }

  /// Sleeps until the host has taken enough for more notifications, or its end is closed.
  private func sleepUntilRoom() {
    connection.doorbell.wait(milliseconds: Int32(Self.tick), orReadable: -1) {
      !connection.outbox.isBroken && !hasRoomForNotifications
    }
  }

  private func flush() {
    connection.outbox.put(responses.take())
  }

  // MARK: - Requests

  private func handleRequests() {
    if let item = queue.first, isWrite(item) {
      runGroup()
    } else {
      while let item = queue.first, !isWrite(item), responses.count < Self.answersLimit {
        queue.removeFirst()
        requestsAlone = max(0, requestsAlone - 1)
        var timings: [Timing] = []
        handleAlone(item, &timings)
        note(timings)
      }
      flush()
    }
    store.checkpointIfDue()
  }

  private func route(_ item: Inbox.Item) -> (index: Int, route: Route)? {
    let method: String
    switch item.content {
    case .success(.request(let request)): method = request.method
    case .success(.notification(let notification)): method = notification.method
    case .success(.response), .failure: return nil
    }
    return router.index(of: method).map { ($0, router.routes[$0]) }
  }

  private func isWrite(_ item: Inbox.Item) -> Bool {
    guard !session.isShuttingDown, case .write = route(item)?.route.kind else { return false }
    return true
  }

  /// Whether a request may run in a group behind a write: the connection is not touched within one.
  private func mayJoin(_ item: Inbox.Item) -> Bool {
    guard case .session = route(item)?.route.kind else { return true }
    return false
  }

  /// Runs what waits in one commit, and answers it then.
  ///
  /// The first request is a write; who comes later waits for the next group. If the group fails, its
  /// requests run again one by one, so that only the one at fault pays.
  private func runGroup() {
    let limit = requestsAlone > 0 ? 1 : Self.groupLimit
    let before = responses
    var timings: [Timing] = []
    var taken = 0
    let moment = Moment(
      now: clock.now(),
      defaultTimeouts: session.settings.defaultTimeouts
    )
    do throws(StoreError) {
      let changes = try store.write { transaction throws(StoreError) in
        while taken < limit, responses.count < Self.answersLimit,
          let item = queue.item(at: taken), mayJoin(item)
        {
          taken += 1
          try handle(item, &timings) { route, call throws(Failure) in
            try route(call, &transaction, moment, &responses)
          }
        }
        return transaction.changes
      }
      queue.removeFirst(taken)
      requestsAlone = max(0, requestsAlone - taken)
      note(timings)
      flush()
      refreshDeadline()
      if !responses.isInsideBatch, hasRoomForNotifications {
        session.feed.advance(over: changes, &responses)
        flush()
      }
    } catch {
      responses = before
      if taken > 1 {
        requestsAlone = taken
      } else {
        requestsAlone = max(0, requestsAlone - 1)
        refuse(error)
      }
    }
  }

  /// Answers the first request with the store's error.
  ///
  /// If the locks were not had, every write that waits gets it: they have all waited for the same
  /// locks. What stands between them is handled as ever.
  private func refuse(_ error: StoreError) {
    let refusal = wireError(error)
    var waiting = error.isBusy ? queue.count : 1
    var timings: [Timing] = []
    while waiting > 0, let item = queue.first, responses.count < Self.answersLimit {
      waiting -= 1
      queue.removeFirst()
      handleAlone(item, &timings, refusingWritesWith: refusal)
    }
    note(timings)
    flush()
  }

  /// Handles a message outside of a group, where nothing is written.
  private func handleAlone(
    _ item: Inbox.Item,
    _ timings: inout [Timing],
    refusingWritesWith refusal: WireError = .shuttingDown
  ) {
    do throws(StoreError) {
      try handle(item, &timings) { _, _ throws(Failure) in throw .wire(refusal) }
    } catch {
      let failure = wireError(error)
      if case .success(.request(let request)) = item.content {
        responses.answer(request.id, at: item.place, error: failure.rpcError)
      }
      responses.finish(item.place)
    }
  }

  /// Handles one message and writes what is owed.
  ///
  /// A handler that changes the store is called by way of `write`. If the store fails, nothing has
  /// been written for the message.
  private func handle(
    _ item: Inbox.Item,
    _ timings: inout [Timing],
    write: (Route.Write, Call) throws(Failure) -> Void
  ) throws(StoreError) {
    switch item.content {
    case .failure(let invalid):
      responses.answer(invalid.id, at: item.place, error: WireError(invalid).rpcError)
    case .success(.response):
      logger.warning("a message shaped like a response was ignored: the sidecar asks nothing")
    case .success(.notification(let notification)):
      let call = Call(params: notification.params, id: nil, place: item.place)
      if !session.isShuttingDown, let (index, route) = route(item), route.actsAsNotification {
        try run(index, route, call, readAt: item.readAt, &timings, write: write)
      }
    case .success(.request(let request)):
      let call = Call(params: request.params, id: request.id, place: item.place)
      if session.isShuttingDown {
        responses.answer(request.id, at: item.place, error: WireError.shuttingDown.rpcError)
      } else if let (index, route) = route(item) {
        try run(index, route, call, readAt: item.readAt, &timings, write: write)
      } else {
        let error = WireError.methodNotFound(method: request.method)
        responses.answer(request.id, at: item.place, error: error.rpcError)
      }
    }
    responses.finish(item.place)
  }

  private func run(
    _ index: Int,
    _ route: Route,
    _ call: Call,
    readAt: UInt64,
    _ timings: inout [Timing],
    write: (Route.Write, Call) throws(Failure) -> Void
  ) throws(StoreError) {
    var timing = Timing(method: index, readAt: readAt, failed: false)
    do throws(Failure) {
      switch route.kind {
      case .write(let handler): try write(handler, call)
      case .read(let handler): try handler(call, store, &responses)
      case .session(let handler): try handler(call, session, &responses)
      }
    } catch {
      timing.failed = true
      switch error {
      case .store(let error):
        timings.append(timing)
        throw error
      case .wire(let error):
        if let id = call.id {
          responses.answer(id, at: call.place, error: error.rpcError)
        } else {
          logger.notice("the notification \(route.name) was refused: \(error.message)")
        }
      }
    }
    timings.append(timing)
  }

  private struct Timing {
    let method: Int
    let readAt: UInt64
    var failed: Bool
  }

  private func note(_ timings: [Timing]) {
    let now = monotonicNanoseconds()
    for timing in timings {
      session.statistics.note(
        method: timing.method,
        nanoseconds: now &- timing.readAt,
        failed: timing.failed
      )
    }
  }

  private func wireError(_ error: StoreError) -> WireError {
    switch error {
    case .busy:
      return .storeBusy
    case .unavailable(let reason, let isRetryable):
      logger.error("the store cannot be used: \(reason)")
      return .storeUnavailable(reason: reason, isRetryable: isRetryable)
    case .defect(let detail):
      logger.critical("a defect: \(detail)")
      return .internalError
    }
  }

  // MARK: - Deadlines

  /// Fails what is overdue.
  ///
  /// Another process may be quicker: then there is nothing left to fail.
  private func lookAfterDeadlines() {
    let now = clock.now()
    if lastTick.map({ !(0..<Self.tick).contains(now.milliseconds(since: $0)) }) ?? true {
      lastTick = now
      refreshDeadline()
    }
    guard let deadline = nextDeadline, deadline <= now else { return }
    do throws(StoreError) {
      let changes = try store.write { transaction throws(StoreError) in
        try transaction.failOverdue(at: now, limit: Self.groupLimit)
        return transaction.changes
      }
      refreshDeadline()
      if !responses.isInsideBatch, hasRoomForNotifications {
        session.feed.advance(over: changes, &responses)
        flush()
      }
    } catch {
      logger.error("overdue renders could not be failed, trying again: \(error)")
      nextDeadline = now.advanced(by: Self.tick)
    }
  }

  private func refreshDeadline() {
    do throws(StoreError) {
      nextDeadline = try store.firstDeadline()
    } catch {
      logger.error("the deadlines could not be read, trying again: \(error)")
    }
  }

  // MARK: - Changes

  /// Tells the subscriptions what is new in the log, whoever changed it.
  private func tellChanges() {
    guard !responses.isInsideBatch else { return }
    do throws(StoreError) {
      repeat {
        guard hasRoomForNotifications else {
          feedHasMore = !session.feed.subscriptions.isEmpty
          return
        }
        feedHasMore = try session.feed.advance(&responses)
        flush()
      } while feedHasMore
        && (session.feed.isLagging || queue.isEmpty && !connection.inbox.hasNews)
    } catch {
      feedHasMore = false
      logger.error("the log could not be read, trying again: \(error)")
    }
  }
}

extension StoreError {
  fileprivate var isBusy: Bool {
    if case .busy = self { true } else { false }
  }
}
