/// One row of the log: an accepted event and the values right after it.
public struct Change: Sendable {
  public let seq: Int64
  public let id: String
  public let event: Event
  /// The state before; `idle` where a new run began.
  public let previousState: State
  public let state: State
  public let progress: Double
  public let renderID: String?
  public let bucketName: String?
  public let videoURL: String?
  public let error: String?
  /// What the event carried, as compact JSON.
  public let metadata: String?
  public let run: Int64
  public let attempt: Int64
  public let version: Int64
  /// Who sent it, as the host names it; `watchdog` for a deadline.
  public let actor: String?
  public let at: Timestamp

  public init(
    seq: Int64,
    id: String,
    event: Event,
    previousState: State,
    state: State,
    progress: Double,
    renderID: String?,
    bucketName: String?,
    videoURL: String?,
    error: String?,
    metadata: String?,
    run: Int64,
    attempt: Int64,
    version: Int64,
    actor: String?,
    at: Timestamp
  ) {
    self.seq = seq
    self.id = id
    self.event = event
    self.previousState = previousState
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
    self.actor = actor
    self.at = at
  }
}

extension Change {
  /// The change that brought a render to where it is.
  init(to render: Render, by command: Command, along row: Machine.Row) {
    self.init(
      seq: render.seq,
      id: render.id,
      event: row.event,
      previousState: row.from,
      state: render.state,
      progress: render.progress,
      renderID: render.renderID,
      bucketName: render.bucketName,
      videoURL: render.videoURL,
      error: render.error,
      metadata: command.context.metadata?.text,
      run: render.run,
      attempt: render.attempt,
      version: render.version,
      actor: command.actor,
      at: render.updatedAt
    )
  }
}
