internal import JSON
internal import RenderModel

/// Closes the run of a render and queues the next one.
public enum RegenerateMethod: Method {
  public static let name = "regenerate"
  public static let actsAsNotification = true

  public typealias Answer = TransitionAnswer

  public static func read(
    _ params: ParamsReader
  ) throws(InvalidParams) -> TransitionMethod.Params {
    try params.allow(
      "id",
      "context",
      "expectedVersion",
      "expectedState",
      "idempotencyKey",
      "actor",
      "timeouts"
    )
    return TransitionMethod.Params(
      command: Command(
        id: try params.identifier("id"),
        action: .regenerate,
        context: try params.context(for: .start),
        expected: try params.expectations(),
        idempotencyKey: try params.optionalIdentifier("idempotencyKey"),
        actor: try params.optionalIdentifier("actor")
      ),
      timeouts: try params.timeouts(for: .start)
    )
  }
}
