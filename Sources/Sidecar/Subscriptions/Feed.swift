internal import JSON
internal import JSONRPC
internal import RenderModel
internal import RenderProtocol
internal import RenderStore

/// Tells the subscriptions of every change in the log, in its order and no faster than the host
/// reads.
///
/// Nothing is kept for a slow host: the feed stands still, and goes on from the log. A subscription
/// is live as long as it is as far as the feed; one that starts earlier, or was left behind,
/// catches up on its own.
final class Feed {
  /// So many matching changes may wait; of more, each render's newest is told.
  static let foldingThreshold = 10_000

  /// How many rows of the log are read at once.
  private static let page = 128
  /// How much of the log is searched at once for the newest change of each render.
  private static let foldingPart: Int64 = 4_000
  /// How many bytes are written before somebody looks whether the host still reads.
  static let portion = 1 << 16

  var subscriptions = SubscriptionTable()
  private let store: RenderStore
  /// The live subscriptions have been told of everything up to here.
  private var position: Int64 = 0
  /// The head of the log, as far as it is known here.
  private var head: Int64 = 0
  /// Those that are not live, in the order in which they are served.
  private var behind: [Subscription] = []

  init(store: RenderStore) {
    self.store = store
  }

  /// Whether so much waits that more requests should wait, too.
  ///
  /// Their changes would be folded although the host reads all the time.
  var isLagging: Bool {
    !subscriptions.isEmpty && head - position > Int64(Self.foldingThreshold / 2)
  }

  // MARK: - Subscribing

  /// Adds a subscription.
  ///
  /// - Parameters:
  ///   - ids: the renders it names, nil for every one.
  ///   - states: the states after the change it wants, nil for every one.
  ///   - seq: it is told of the changes after this one.
  ///   - head: the head of the log.
  ///   - unfinished: the renders not in a terminal state at the head, where the subscription is to
  ///     end as soon as there are none; else nil.
  /// - Returns: its name.
  func subscribe(
    ids: Set<ExactText>?,
    states: Set<State>?,
    after seq: Int64,
    head: Int64,
    unfinished: Set<ExactText>?
  ) -> String {
    if subscriptions.isEmpty { position = head }
    self.head = max(self.head, head)
    let (number, name) = subscriptions.nextName()
    let isLive = seq >= position && unfinished?.isEmpty != true
    let subscription = Subscription(
      number: number,
      name: name,
      ids: ids,
      states: states,
      progress: isLive ? .live(since: seq) : .behind(after: seq),
      unfinished: unfinished,
      judgedUpTo: head
    )
    subscriptions.insert(subscription)
    if !isLive { behind.append(subscription) }
    return name
  }

  /// Ends every subscription, for the sidecar stops.
  func endAll(_ responses: inout ResponseWriter) {
    for subscription in subscriptions.all.values.sorted(by: { $0.number < $1.number }) {
      end(subscription, .shutdown, &responses)
    }
  }

  private func end(
    _ subscription: Subscription,
    _ reason: SubscriptionEndedNotification.Reason,
    _ responses: inout ResponseWriter
  ) {
    subscriptions.remove(subscription)
    let ended = SubscriptionEndedNotification(subscription: subscription.name, reason: reason)
    responses.notify(SubscriptionEndedNotification.name) { ended.write(to: &$0) }
  }

  // MARK: - Telling

  /// Hears of changes just committed here: they wait from now on, told or not.
  func hear(of changes: [Change]) {
    if let last = changes.last { head = max(head, last.seq) }
  }

  /// Tells of changes just committed here, if the feed stands right before them; else it will come
  /// to them in the log.
  func advance(over changes: [Change], _ responses: inout ResponseWriter) {
    guard !subscriptions.isEmpty, let first = changes.first, first.seq == position + 1 else {
      return
    }
    for change in changes {
      guard change.seq == position + 1, responses.count < Self.portion else { return }
      tell(change, &responses)
    }
  }

  /// Writes the next portion of what is to be told, from the log.
  ///
  /// - Returns: whether there may be more to tell.
  func advance(_ responses: inout ResponseWriter) throws(StoreError) -> Bool {
    guard !subscriptions.isEmpty else {
      behind = []
      return false
    }
    head = try store.head()
    if head - position > Int64(Self.foldingThreshold) { leaveAllBehind(head) }
    while position < head {
      guard responses.count < Self.portion else { return true }
      let changes = try store.changes(after: position, limit: Self.page)
      guard !changes.isEmpty else { break }
      for change in changes {
        guard responses.count < Self.portion else { return true }
        tell(change, &responses)
      }
    }
    while let subscription = behind.first {
      guard responses.count < Self.portion else { return true }
      try catchUp(subscription, &responses)
    }
    return false
  }

  private func tell(_ change: Change, _ responses: inout ResponseWriter) {
    position = change.seq
    let id = ExactText(change.id)
    var ending: [Subscription] = []
    subscriptions.visit(matching: change.id, change.state) { subscription in
      guard case .live(let since) = subscription.progress, change.seq > since else { return }
      guard responses.count < 2 * Self.portion else {
        subscription.progress = .behind(after: change.seq - 1)
        behind.append(subscription)
        return
      }
      if subscription.wants(change.state) { notify(subscription, change, skipped: 0, &responses) }
      subscription.judge(id, change.state, at: change.seq)
      if subscription.endsAfter != nil { ending.append(subscription) }
    }
    for subscription in ending { end(subscription, .terminal, &responses) }
  }

  private func notify(
    _ subscription: Subscription,
    _ change: Change,
    skipped: Int64,
    _ responses: inout ResponseWriter
  ) {
    let status = StatusNotification(
      subscription: subscription.name,
      change: change,
      skipped: skipped
    )
    responses.notify(StatusNotification.name) { status.write(to: &$0) }
  }

  // MARK: - Catching up

  /// Moves on to the head; each live subscription catches up with what it wants of the rest.
  private func leaveAllBehind(_ head: Int64) {
    for subscription in subscriptions.all.values {
      guard case .live(let since) = subscription.progress, since < head else { continue }
      subscription.progress = .behind(after: max(since, position))
      behind.append(subscription)
    }
    position = head
  }

  /// Takes the first of those behind one step further.
  private func catchUp(
    _ subscription: Subscription,
    _ responses: inout ResponseWriter
  ) throws(StoreError) {
    guard subscriptions.all[subscription.number] != nil else {
      behind.removeFirst()
      return
    }
    switch subscription.progress {
    case .live:
      behind.removeFirst()
    case .behind(let seq):
      try plan(subscription, after: seq, &responses)
    case .replaying(let range):
      try replay(subscription, range, &responses)
    case .folding(let fold):
      try foldOn(subscription, fold, &responses)
    }
  }

  /// Decides how the changes up to the feed's position are told, or that all have been.
  private func plan(
    _ subscription: Subscription,
    after seq: Int64,
    _ responses: inout ResponseWriter
  ) throws(StoreError) {
    try judge(subscription, upTo: position)
    let range = LogRange(after: seq, upTo: subscription.endsAfter ?? position)
    guard range.after < range.upTo else {
      behind.removeFirst()
      if subscription.endsAfter != nil {
        end(subscription, .terminal, &responses)
      } else {
        subscription.progress = .live(since: seq)
      }
      return
    }
    let limit = Self.foldingThreshold
    let isLong = range.upTo - range.after > Int64(limit)
    var mustFold = false
    if isLong {
      let count = try store.count(matching: subscription.filter, in: range, limit: limit + 1)
      mustFold = count > limit
    }
    subscription.progress =
      mustFold
      ? .folding(Subscription.Fold(range: range, unseen: range, found: []))
      : .replaying(range)
  }

  /// Finds the end at the terminal states, if it is in the log already.
  private func judge(_ subscription: Subscription, upTo seq: Int64) throws(StoreError) {
    guard subscription.unfinished != nil, subscription.endsAfter == nil,
      subscription.judgedUpTo < seq
    else { return }
    let range = LogRange(after: subscription.judgedUpTo, upTo: seq)
    try store.readStates(of: subscription.filter, in: range) { seq, id, state in
      subscription.judge(ExactText(id), state, at: seq)
    }
    subscription.judgedUpTo = seq
  }

  private func replay(
    _ subscription: Subscription,
    _ range: LogRange,
    _ responses: inout ResponseWriter
  ) throws(StoreError) {
    let changes = try store.changes(matching: subscription.filter, in: range, limit: Self.page)
    for change in changes {
      guard responses.count < Self.portion else { return }
      notify(subscription, change, skipped: 0, &responses)
      subscription.progress = .replaying(LogRange(after: change.seq, upTo: range.upTo))
    }
    if changes.count < Self.page { subscription.progress = .behind(after: range.upTo) }
  }

  private func foldOn(
    _ subscription: Subscription,
    _ fold: Subscription.Fold,
    _ responses: inout ResponseWriter
  ) throws(StoreError) {
    var fold = fold
    do throws(StoreError) {
      while responses.count < Self.portion, let next = fold.found.last {
        if let change = try store.change(next.seq) {
          notify(subscription, change, skipped: next.skipped, &responses)
        }
        fold.found.removeLast()
      }
    } catch {
      // What has been told is noted, or it would be told again.
      subscription.progress = .folding(fold)
      throw error
    }
    subscription.progress = .folding(fold)
    guard fold.found.isEmpty else { return }
    guard fold.unseen.after < fold.unseen.upTo else {
      subscription.progress = .behind(after: fold.range.upTo)
      return
    }
    var part = fold.unseen
    if !subscription.filter.hasIDs {
      part.upTo = min(part.upTo, part.after + Self.foldingPart)
    }
    fold.found = try store.newestChanges(
      matching: subscription.filter,
      in: fold.range,
      part: part
    ).reversed()
    fold.unseen.after = part.upTo
    subscription.progress = .folding(fold)
  }
}
