internal import RenderProtocol

enum DiscoverHandler: SessionHandler {
  typealias M = DiscoverMethod

  static func handle(
    _ params: DiscoverMethod.Params,
    in session: Session
  ) throws(Failure) -> DiscoverMethod.Answer {
    DiscoverMethod.Answer()
  }
}
