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
    do throws(StoreError) {
      (head, renders) = try session.store.snapshot { () throws(StoreError) in
        (try session.store.head(), try session.store.renders(params.ids ?? []))
      }
    } catch {
      throw .store(error)
    }
    let hasGap = params.afterSeq.map { $0 > head } ?? false
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
}
