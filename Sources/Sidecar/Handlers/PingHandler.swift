internal import RenderProtocol

enum PingHandler: SessionHandler {
  typealias M = PingMethod

  static func handle(
    _ params: PingMethod.Params,
    in session: Session
  ) throws(Failure) -> EmptyAnswer {
    EmptyAnswer()
  }
}
