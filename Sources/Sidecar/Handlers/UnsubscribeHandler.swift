internal import RenderProtocol

enum UnsubscribeHandler: SessionHandler {
  typealias M = UnsubscribeMethod

  static func handle(
    _ params: UnsubscribeMethod.Params,
    in session: Session
  ) throws(Failure) -> UnsubscribeMethod.Answer {
    guard session.feed.subscriptions.remove(named: params.subscription) else {
      throw .wire(.unknownSubscription(name: params.subscription))
    }
    return UnsubscribeMethod.Answer()
  }
}
