internal import RenderProtocol

enum ShutdownHandler: SessionHandler {
  typealias M = ShutdownMethod

  static func handle(
    _ params: ShutdownMethod.Params,
    in session: Session
  ) throws(Failure) -> EmptyAnswer {
    session.isShuttingDown = true
    return EmptyAnswer()
  }
}
