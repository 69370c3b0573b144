import JSON

@testable import RenderModel

/// A render's life, kept in memory: what a store remembers between two commands.
struct Story {
  static let noon = Timestamp(milliseconds: 1_795_348_800_000)

  var render: Render
  var now = Self.noon
  private(set) var log: [Change] = []
  private(set) var renderIDs: Set<ExactText> = []
  private(set) var keyUses: [ExactText: Past.KeyUse] = [:]
  private var seq: Int64 = 0

  init(_ id: String = "video") {
    render = .idle(id)
  }

  /// A render that got to a state the shortest way.
  init(in state: State) throws {
    self.init()
    switch state {
    case .idle: break
    case .queued: try take(.start)
    case .rendering: try take(.start, .progress)
    case .completed: try take(.start, .progress, .complete)
    case .failed: try take(.start, .fail)
    }
  }

  mutating func take(_ events: Event...) throws {
    for event in events { try accept(.event(event)) }
  }

  /// What a command would do now.
  func decide(_ command: Command) throws(Refusal) -> Decision {
    var past = Past()
    if let key = command.idempotencyKey { past.keyUse = keyUses[ExactText(key)] }
    if let name = command.context.renderID {
      past.hadRenderID = renderIDs.contains(ExactText(name))
    }
    return try render.deciding(command, given: past, at: now, seq: seq + 1)
  }

  /// Carries a command out.
  @discardableResult
  mutating func apply(_ command: Command) throws(Refusal) -> Decision {
    let decision = try decide(command)
    if case .change(let next, let change) = decision {
      render = next
      seq = change.seq
      log.append(change)
      if let name = change.renderID { renderIDs.insert(ExactText(name)) }
      if let key = command.idempotencyKey {
        keyUses[ExactText(key)] = Past.KeyUse(
          action: command.action,
          previousState: change.previousState,
          version: change.version,
          seq: change.seq
        )
      }
    }
    return decision
  }

  @discardableResult
  mutating func accept(
    _ action: Command.Action,
    _ context: Context = Context(),
    expected: Expectations = Expectations(),
    key: String? = nil,
    timeouts: Timeouts = .off
  ) throws(Refusal) -> Decision {
    try apply(
      command(action, context, expected: expected, key: key, timeouts: timeouts)
    )
  }

  /// The refusal of a command, nil if it would be accepted.
  func refusal(
    _ action: Command.Action,
    _ context: Context = Context(),
    expected: Expectations = Expectations(),
    key: String? = nil
  ) -> Refusal? {
    do throws(Refusal) {
      _ = try decide(command(action, context, expected: expected, key: key, timeouts: .off))
      return nil
    } catch {
      return error
    }
  }

  private func command(
    _ action: Command.Action,
    _ context: Context,
    expected: Expectations,
    key: String?,
    timeouts: Timeouts
  ) -> Command {
    Command(
      id: render.id,
      action: action,
      context: context,
      expected: expected,
      idempotencyKey: key,
      actor: "host",
      timeouts: timeouts
    )
  }
}

extension MetadataChange {
  /// The change that a JSON text spells.
  init(spelled text: String) throws {
    guard case .object(let object) = try JSON(reading: text) else { throw NotAnObject() }
    self.init(object)
  }

  private struct NotAnObject: Error {}
}
