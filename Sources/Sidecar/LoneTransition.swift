public import JSON
internal import JSONRPC
internal import RenderModel
public import RenderProtocol
public import RenderStore

/// A `transition` or a `regenerate` of a program that has the store itself, and no connection.
///
/// Its params are read, it is decided on, and it is answered as on the wire, by the same code.
public struct LoneTransition: Sendable {
  private let params: TransitionMethod.Params

  /// Reads the params of `transition`.
  public init(transition params: JSONObject) throws(InvalidParams) {
    self.params = try TransitionMethod.read(ParamsReader(.named(params)))
  }

  /// Reads the params of `regenerate`.
  public init(regenerate params: JSONObject) throws(InvalidParams) {
    self.params = try RegenerateMethod.read(ParamsReader(.named(params)))
  }

  /// Carries it out in a commit of its own, which is durable when this returns.
  ///
  /// An attempt that it starts has the clocks that it names, and no others.
  ///
  /// - Returns: the answer, or why it was refused.
  public func carryOut(
    on store: RenderStore,
    by clock: any Clock
  ) throws(StoreError) -> Result<TransitionAnswer, WireError> {
    try store.write { transaction throws(StoreError) in
      try carryOut(in: &transaction, by: clock)
    }
  }

  /// The same within a write group.
  public func carryOut(
    in transaction: inout WriteTransaction,
    by clock: any Clock
  ) throws(StoreError) -> Result<TransitionAnswer, WireError> {
    let moment = try Moment(clock, defaultTimeouts: .off, in: transaction)
    do throws(Failure) {
      return .success(try TransitionHandler.handle(params, in: &transaction, moment))
    } catch {
      switch error {
      case .wire(let refusal): return .failure(refusal)
      case .store(let error): throw error
      }
    }
  }
}
