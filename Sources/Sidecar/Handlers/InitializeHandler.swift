internal import RenderProtocol

enum InitializeHandler: SessionHandler {
  typealias M = InitializeMethod

  static func handle(
    _ params: InitializeMethod.Params,
    in session: Session
  ) throws(Failure) -> InitializeMethod.Answer {
    InitializeMethod.Answer(serverVersion: session.settings.version, storeKind: session.storeKind)
  }
}
