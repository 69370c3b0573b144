/// What somebody wants to happen to a render.
public struct Command: Sendable {
  public enum Action: Sendable, Equatable {
    case event(Event)
    /// Close the run and queue the next one.
    case regenerate
  }

  public let id: String
  public let action: Action
  public let context: Context
  public let expected: Expectations
  /// Marks one intention: sent twice, it takes effect once.
  public let idempotencyKey: String?
  public let actor: String?
  /// The clocks of the attempt that a start begins; of no effect otherwise.
  public let timeouts: Timeouts

  public init(
    id: String,
    action: Action,
    context: Context = Context(),
    expected: Expectations = Expectations(),
    idempotencyKey: String? = nil,
    actor: String? = nil,
    timeouts: Timeouts = .off
  ) {
    self.id = id
    self.action = action
    self.context = context
    self.expected = expected
    self.idempotencyKey = idempotencyKey
    self.actor = actor
    self.timeouts = timeouts
  }

  /// The event that the action is, or begins with.
  public var event: Event {
    switch action {
    case .event(let event): event
    case .regenerate: .start
    }
  }
}

/// What an event says of the render; nil where it says nothing.
public struct Context: Sendable {
  public var renderID: String?
  public var bucketName: String?
  public var progress: Double?
  public var videoURL: String?
  public var error: String?
  public var metadata: MetadataChange?

  public init(
    renderID: String? = nil,
    bucketName: String? = nil,
    progress: Double? = nil,
    videoURL: String? = nil,
    error: String? = nil,
    metadata: MetadataChange? = nil
  ) {
    self.renderID = renderID
    self.bucketName = bucketName
    self.progress = progress
    self.videoURL = videoURL
    self.error = error
    self.metadata = metadata
  }
}

/// What must still hold for a command to be accepted: the optimistic lock.
public struct Expectations: Sendable {
  public var version: Int64?
  public var state: State?
  public var attempt: Int64?

  public init(version: Int64? = nil, state: State? = nil, attempt: Int64? = nil) {
    self.version = version
    self.state = state
    self.attempt = attempt
  }
}
