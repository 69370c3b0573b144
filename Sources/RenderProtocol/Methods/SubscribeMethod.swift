public import JSON
public import RenderModel

/// Asks to be told of changes, from now or from a place in the log.
public enum SubscribeMethod: Method {
  public static let name = "subscribe"

  public struct Params: Sendable {
    /// nil for every render.
    public let ids: [String]?
    /// The states after the change; nil for every state.
    public let states: [State]?
    public let afterSeq: Int64?
    public let untilTerminal: Bool
  }

  public struct Answer: WireValue {
    public let subscription: String
    /// The head of the log.
    public let seq: Int64
    /// The named renders at that point.
    public let renders: [Render]
    /// Whether the changes after `afterSeq` cannot be told.
    public let hasGap: Bool

    public init(subscription: String, seq: Int64, renders: [Render], hasGap: Bool) {
      self.subscription = subscription
      self.seq = seq
      self.renders = renders
      self.hasGap = hasGap
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("subscription")
      writer.string(subscription)
      writer.key("seq")
      writer.integer(seq)
      writer.key("statuses")
      writer.statuses(renders)
      writer.key("gap")
      writer.bool(hasGap)
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("ids", "states", "afterSeq", "untilTerminal")
    let ids = try params.optionalIdentifiers("ids")
    let states = try params.optionalStates("states")
    let afterSeq = try params.optionalInteger("afterSeq")
    let untilTerminal = try params.optionalFlag("untilTerminal") ?? false
    guard !untilTerminal || ids != nil else {
      throw params.invalid("untilTerminal", "it goes with ids only")
    }
    return Params(ids: ids, states: states, afterSeq: afterSeq, untilTerminal: untilTerminal)
  }
}
