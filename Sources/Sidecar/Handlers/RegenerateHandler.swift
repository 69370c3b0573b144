internal import RenderProtocol
internal import RenderStore

enum RegenerateHandler: WriteHandler {
  typealias M = RegenerateMethod

  static func handle(
    _ params: TransitionMethod.Params,
    in transaction: inout WriteTransaction,
    _ moment: Moment
  ) throws(Failure) -> TransitionAnswer {
    try TransitionHandler.handle(params, in: &transaction, moment)
  }
}
