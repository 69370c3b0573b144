internal import JSON
internal import RenderModel
internal import RenderProtocol
internal import RenderStore

enum SubscribeHandler: SessionHandler {
  typealias M = SubscribeMethod

  static func handle(
    _ params: SubscribeMethod.Params,
    in session: Session
  ) throws(Failure) -> SubscribeMethod.Answer {
    guard session.feed.subscriptions.count < SubscriptionTable.maximumCount else {
      throw .wire(
        .invalidParams(
          InvalidParams(
            path: "params",
            reason: """
              this connection has \(SubscriptionTable.maximumCount) subscriptions, the most there \
              may be; unsubscribe one
              """
          )
        )
      )
    }
    let head: Int64
    let renders: [Render]
    let hasGap: Bool
    do throws(StoreError) {
      (head, renders, hasGap) = try session.store.snapshot { () throws(StoreError) in
        let head = try session.store.head()
        let renders = try session.store.renders(params.ids ?? [])
        return (head, renders, try Self.hasGap(params, head, session.store))
      }
    } catch {
      throw .store(error)
    }
    let subscription = session.feed.subscribe(
      ids: params.ids.map { Set($0.map(ExactText.init)) },
      states: params.states.map(Set.init),
      after: hasGap ? head : params.afterSeq ?? head,
      head: head,
      unfinished: params.untilTerminal
        ? Set(renders.filter { !$0.state.isTerminal }.map { ExactText($0.id) }) : nil
    )
    return SubscribeMethod.Answer(
      subscription: subscription,
      seq: head,
      renders: renders,
      hasGap: hasGap
    )
  }

  /// Whether the log does not hold what is to be replayed.
  private static func hasGap(
    _ params: SubscribeMethod.Params,
    _ head: Int64,
    _ store: RenderStore
  ) throws(StoreError) -> Bool {
    guard let seq = params.afterSeq else { return false }
    guard seq <= head else { return true }
    let filter = ChangeFilter(ids: params.ids, states: params.states)
    return try store.hasPruned(matching: filter, after: seq)
  }
}
