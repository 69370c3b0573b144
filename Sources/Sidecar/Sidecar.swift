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
  static let groupLimit = 1024
  /// So many bytes of answers end a group, and so many may wait for the host before the next one.
  static let answersLimit = 1 << 20
  /// So many bytes may wait for the host before notifications wait in the log.
  private static let notificationsLimit = 1 << 19
  /// How often the store is looked at though nothing told of a change, in milliseconds: a program
  /// that writes without our gate marks no commit.
  private static let tick: Int64 = 250
  /// The same where the system has no watch left, and somebody waits for changes.
  private static let tickWithoutWatch: Int64 = 5
  /// How long a host that takes nothing holds up a stop.
  private static let stallLimit = Duration.seconds(5)

  let connection: Connection
  let session: Session
  let router = Router.shared
  private let watch: CommitWatch?
  var queue = RequestQueue()
  var responses = ResponseWriter()
  private var nextDeadline: Timestamp?
  /// When the store was looked at last, in milliseconds since the machine was started.
  private var lastTick: Int64?
  /// So many of the next requests run in groups of their own, after a group of them failed.
  var requestsAlone = 0
  private var feedHasMore = false
  private var stall: Stall?
  private var shutdownSince: ContinuousClock.Instant?
  private var retentionKeeper: RetentionKeeper?

  public init(store: RenderStore, connection: Connection, settings: Settings) {
    self.connection = connection
    session = Session(store: store, settings: settings, methods: router.routes.map(\.name))
    retentionKeeper = RetentionKeeper(settings.retention)
    watch = store.makeCommitWatch()
    if watch == nil {
      settings.logger.warning(
        "no inotify watch is left: changes of other processes are looked for every few milliseconds"
      )
    }
  }

  var store: RenderStore { session.store }
  var logger: Logger { session.settings.logger }
  var clock: any Clock { session.settings.clock }

  /// Serves until the input ends, `shutdown` is asked for, or the host has closed its end; returns
  /// when all that is owed has been written, or the host has taken nothing of it for 5 s.
  public func run() {
    while !connection.outbox.isBroken, !isFinished, !hasStalled {
      if queue.isEmpty { queue.append(connection.inbox.takeAll()) }
      if !queue.isEmpty, mayHandleRequests { handleRequests() }
      lookAfterDeadlines()
      // Marks of our own commits, too: what they mark is in the log that is read next.
      watch?.clear()
      tellChanges()
      prune()
      limitShutdown()
      sleepUntilNews()
    }
    finish()
  }

  // MARK: - Stopping

  /// Whether the end has been asked for.
  ///
  /// A `shutdown` that stands behind answers which the host does not take counts as soon as it is
  /// read.
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
    return session.isShuttingDown ? connection.isQuiet : connection.inbox.isExhausted
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
    if let retentionKeeper { limit = min(limit, retentionKeeper.millisecondsToWait) }
    connection.wait(
      milliseconds: Int32(max(limit, 1)),
      orReadable: watch?.descriptor ?? -1
    ) {
      !hasSomethingToDo
    }
  }

  /// Sleeps until the host has taken enough for more notifications, or its end is closed.
  private func sleepUntilRoom() {
    connection.wait(milliseconds: Int32(Self.tick), orReadable: -1) {
      !connection.outbox.isBroken && !hasRoomForNotifications
    }
  }

  func flush() {
    connection.outbox.put(responses.take())
  }

  // MARK: - Deadlines

  /// Fails what is overdue.
  ///
  /// Another process may be quicker: then there is nothing left to fail.
  private func lookAfterDeadlines() {
    let reading = clock.reading()
    if lastTick.map({ reading.sinceBoot - $0 >= Self.tick }) ?? true {
      lastTick = reading.sinceBoot
      refreshDeadline()
    }
    guard let deadline = nextDeadline, deadline <= reading.wall else { return }
    do throws(StoreError) {
      let changes = try store.write { transaction throws(StoreError) in
        let moment = try Moment(clock, defaultTimeouts: .off, in: transaction)
        try transaction.failOverdue(at: moment.now, limit: Self.groupLimit)
        return transaction.changes
      }
      refreshDeadline()
      tell(changes)
    } catch {
      logger.error("overdue renders could not be failed, trying again: \(error)")
      nextDeadline = clock.now().advanced(by: Self.tick)
    }
  }

  func refreshDeadline() {
    do throws(StoreError) {
      nextDeadline = try store.firstDeadline()
      // Where the clock was set the deadlines are to be moved first, and the soonest may be due.
      if nextDeadline != nil, try store.clockJump(to: clock.reading()) != 0 {
        nextDeadline = clock.now()
      }
    } catch {
      logger.error("the deadlines could not be read, trying again: \(error)")
    }
  }

  // MARK: - Retention

  /// Removes some of what has been kept long enough.
  private func prune() {
    guard retentionKeeper?.isDue == true, !isStopping else { return }
    do throws(StoreError) {
      try retentionKeeper?.prune(store, at: clock.now())
      store.checkpointIfDue()
    } catch {
      logger.error("what is old could not be pruned, trying again later: \(error)")
    }
  }

  // MARK: - Changes

  /// Tells the subscriptions of what was just committed here, where nothing stands in the way; else
  /// `tellChanges` comes to it in the log.
  func tell(_ changes: [Change]) {
    session.feed.hear(of: changes)
    guard !responses.isInsideBatch, hasRoomForNotifications else { return }
    session.feed.advance(over: changes, &responses)
    flush()
  }

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
