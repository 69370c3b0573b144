public import JSON
public import RenderModel

/// Moves one render along the table.
public enum TransitionMethod: Method {
  public static let name = "transition"
  public static let actsAsNotification = true

  public typealias Answer = TransitionAnswer

  public struct Params: Sendable {
    /// The command, its clocks still to be set from `timeouts`.
    public let command: Command
    public let timeouts: RequestedTimeouts
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow(
      "id",
      "event",
      "context",
      "expectedVersion",
      "expectedState",
      "expectedAttempt",
      "idempotencyKey",
      "actor",
      "timeouts"
    )
    let id = try params.identifier("id")
    let event = try params.event("event")
    return Params(
      command: Command(
        id: id,
        action: .event(event),
        context: try params.context(for: event),
        expected: try params.expectations(),
        idempotencyKey: try params.optionalIdentifier("idempotencyKey"),
        actor: try params.optionalIdentifier("actor")
      ),
      timeouts: try params.timeouts(for: event)
    )
  }
}

/// What came of a transition or a regeneration that was not refused.
public struct TransitionAnswer: WireValue {
  public let previousState: State
  /// Of this change, also if the render has moved on since.
  public let version: Int64
  public let seq: Int64
  public let status: Status
  /// Whether the change was made by an earlier request with the same key.
  public let isReplayed: Bool

  public init(
    previousState: State,
    version: Int64,
    seq: Int64,
    status: Status,
    isReplayed: Bool
  ) {
    self.previousState = previousState
    self.version = version
    self.seq = seq
    self.status = status
    self.isReplayed = isReplayed
  }

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("previousState")
    writer.string(previousState.rawValue)
    writer.key("version")
    writer.integer(version)
    writer.key("seq")
    writer.integer(seq)
    writer.key("status")
    status.write(to: &writer)
    writer.key("replayed")
    writer.bool(isReplayed)
    writer.endObject()
  }
}
