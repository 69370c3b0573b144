/// A render as it stands now: what the contract calls a Status, and the clocks of its attempt.
public struct Render: Sendable {
  public let id: String
  public var state: State
  /// 0 to 100.
  public var progress: Double
  public var renderID: String?
  public var bucketName: String?
  public var videoURL: String?
  public var error: String?
  public var metadata: Metadata
  /// Counts the regenerations of this id, from 1; 0 if it was never started.
  public var run: Int64
  /// Counts the starts within a run, from 1.
  public var attempt: Int64
  /// Counts the accepted changes of this id.
  public var version: Int64
  public var lastEvent: Event?
  /// The number of the last change in the store's log.
  public var seq: Int64
  /// When the id was started first.
  public var createdAt: Timestamp
  /// When it changed last; never decreases.
  public var updatedAt: Timestamp
  /// When the attempt was started.
  ///
  /// Where the clock on the wall was set since, the store has moved this with it.
  public var startedAt: Timestamp
  /// The clocks of this attempt, fixed at its start.
  public var timeouts: Timeouts
  /// The first of their deadlines; nil where all clocks are off, and if it is not active.
  public var deadline: Deadline?

  public init(
    id: String,
    state: State,
    progress: Double,
    renderID: String?,
    bucketName: String?,
    videoURL: String?,
    error: String?,
    metadata: Metadata,
    run: Int64,
    attempt: Int64,
    version: Int64,
    lastEvent: Event?,
    seq: Int64,
    createdAt: Timestamp,
    updatedAt: Timestamp,
    startedAt: Timestamp,
    timeouts: Timeouts,
    deadline: Deadline? = nil
  ) {
    self.id = id
    self.state = state
    self.progress = progress
    self.renderID = renderID
    self.bucketName = bucketName
    self.videoURL = videoURL
    self.error = error
    self.metadata = metadata
    self.run = run
    self.attempt = attempt
    self.version = version
    self.lastEvent = lastEvent
    self.seq = seq
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.startedAt = startedAt
    self.timeouts = timeouts
    self.deadline = deadline
  }

  /// A render that was never started.
  public static func idle(_ id: String) -> Render {
    let never = Timestamp(milliseconds: 0)
    return Render(
      id: id,
      state: .idle,
      progress: 0,
      renderID: nil,
      bucketName: nil,
      videoURL: nil,
      error: nil,
      metadata: .empty,
      run: 0,
      attempt: 0,
      version: 0,
      lastEvent: nil,
      seq: 0,
      createdAt: never,
      updatedAt: never,
      startedAt: never,
      timeouts: .off
    )
  }
}
