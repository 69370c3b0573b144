internal import JSON

/// What is to be known of an id's past to decide on a command.
public struct Past: Sendable {
  /// What the command's idempotency key has done before.
  public struct KeyUse: Sendable {
    public let action: Command.Action
    public let previousState: State
    public let version: Int64
    public let seq: Int64

    public init(action: Command.Action, previousState: State, version: Int64, seq: Int64) {
      self.action = action
      self.previousState = previousState
      self.version = version
      self.seq = seq
    }
  }

  public var keyUse: KeyUse?
  /// Whether this id ever had the renderId that the command names, now or before.
  public var hadRenderID: Bool
  /// The last version of a render of this id that was pruned, 0 if none was: an idle id counts on from
  /// there, so that no version comes twice.
  public var prunedVersion: Int64

  public init(keyUse: KeyUse? = nil, hadRenderID: Bool = false, prunedVersion: Int64 = 0) {
    self.keyUse = keyUse
    self.hadRenderID = hadRenderID
    self.prunedVersion = prunedVersion
  }
}

/// What comes of a command that is not refused.
public enum Decision: Sendable {
  /// The render as it will be, and the row of the log.
  case change(Render, Change)
  /// The command was carried out before; nothing changes.
  case replay(Past.KeyUse)
}

/// Why a command is refused; nothing changes.
public enum Refusal: Error, Sendable, Equatable {
  /// The key did something else before.
  case keyReused(before: String)
  case conflict(reason: String)
  /// The renderId belongs to another attempt.
  case staleRender(renderID: String)
  /// The table has no such row.
  case invalidTransition(event: Event, state: State)
  /// The merged metadata would be over its limit.
  case metadataTooLarge
}

extension Render {
  /// Decides what a command does to this render.
  ///
  /// Pure: the same in, the same out. The checks come in the order of the contract: idempotency, expectations, fencing, table, size
  /// of the merged metadata.
  ///
  /// - Parameters:
  ///   - command: what is wanted.
  ///   - past: what the id's past says of it.
  ///   - now: the clock's time. The change is dated no earlier than the last one; its deadline is counted from here.
  ///   - seq: the number the change will have in the log.
  /// - Returns: the render and the change to save, or what an earlier request has done already.
  /// - Throws: why nothing changes.
  public func deciding(
    _ command: Command,
    given past: Past,
    at now: Timestamp,
    seq: Int64
  ) throws(Refusal) -> Decision {
    if let use = past.keyUse {
      guard use.action == command.action else { throw .keyReused(before: use.action.name) }
      return .replay(use)
    }
    try check(command.expected)
    try checkFence(of: command, given: past)
    let row = try row(for: command)
    let metadata = try merging(command.context.metadata)

    var next = self
    next.metadata = metadata
    next.version = max(version, past.prunedVersion) + 1
    next.seq = seq
    next.updatedAt = max(now, updatedAt)
    next.state = row.to
    next.lastEvent = row.event
    next.apply(command, at: now)
    next.deadline = next.deadline(afterEventAt: now)
    let change = Change(to: next, by: command, along: row)
    return .change(next, change)
  }

  private func check(_ expected: Expectations) throws(Refusal) {
    if let version = expected.version, version != self.version {
      throw .conflict(reason: "expected version \(version), it is \(self.version)")
    }
    if let state = expected.state, state != self.state {
      throw .conflict(reason: "expected state \(state), it is \(self.state)")
    }
    if let attempt = expected.attempt, attempt != self.attempt {
      throw .conflict(reason: "expected attempt \(attempt), it is \(self.attempt)")
    }
  }

  /// The renderId of a command, if the decision on it depends on whether the id had it before: an attempt
  /// that has one is told by that alone.
  public func renderIDFromPast(for command: Command) -> String? {
    command.event == .start || renderID == nil ? command.context.renderID : nil
  }

  /// A renderId belongs to the attempt that first named it: a late report of an old attempt is
  /// turned away, whatever the state.
  private func checkFence(of command: Command, given past: Past) throws(Refusal) {
    guard let named = command.context.renderID else { return }
    let isFromPast = renderIDFromPast(for: command) != nil
    let passes = isFromPast ? !past.hadRenderID : renderID?.hasSameBytes(as: named) == true
    guard passes else { throw .staleRender(renderID: named) }
  }

  /// The row of the table that the command goes along; a new run begins where the machine does.
  private func row(for command: Command) throws(Refusal) -> Machine.Row {
    let from: State = command.action == .regenerate && !state.isActive ? .idle : state
    guard let row = Machine.row(from: from, event: command.event) else {
      throw .invalidTransition(event: command.event, state: state)
    }
    return row
  }

  private func merging(_ change: MetadataChange?) throws(Refusal) -> Metadata {
    guard let change else { return metadata }
    guard let merged = metadata.merging(change) else { throw .metadataTooLarge }
    return merged
  }

  /// Sets the fields that the event sets; state, version and time are set already.
  private mutating func apply(_ command: Command, at now: Timestamp) {
    let context = command.context
    switch command.action {
    case .regenerate:
      run += 1
      attempt = 1
      begin(command, at: now)
    case .event(.start):
      run = max(run, 1)
      attempt += 1
      begin(command, at: now)
    case .event(.progress):
      if let given = context.progress { progress = max(progress, given) }
      nameRender(context)
    case .event(.complete):
      progress = 100
      videoURL = context.videoURL
      nameRender(context)
    case .event(.fail):
      error = context.error ?? "Render failed"
      nameRender(context)
    case .event(.cancel):
      error = context.error ?? "Render cancelled"
      nameRender(context)
    }
  }

  private mutating func begin(_ command: Command, at now: Timestamp) {
    if run == 1, attempt == 1 { createdAt = updatedAt }
    progress = 0
    error = nil
    videoURL = nil
    renderID = command.context.renderID
    bucketName = command.context.bucketName
    startedAt = now
    timeouts = command.timeouts
  }

  private mutating func nameRender(_ context: Context) {
    renderID = context.renderID ?? renderID
    bucketName = context.bucketName ?? bucketName
  }
}

extension Command.Action {
  /// The word for people and for the store.
  public var name: String {
    switch self {
    case .event(let event): event.rawValue
    case .regenerate: "regenerate"
    }
  }

  /// The action of that name.
  public init?(name: String) {
    if name == "regenerate" {
      self = .regenerate
    } else if let event = Event(rawValue: name) {
      self = .event(event)
    } else {
      return nil
    }
  }
}
