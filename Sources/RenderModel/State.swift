/// Where a render stands.
public enum State: String, CaseIterable, Sendable {
  /// Never started.
  case idle
  /// Claimed; the renderer has not reported yet.
  case queued
  case rendering
  /// The end of a run.
  case completed
  /// The end of an attempt; another may be started.
  case failed

  /// Whether a run or an attempt has ended here.
  public var isTerminal: Bool { self == .completed || self == .failed }

  /// Whether an attempt is under way.
  public var isActive: Bool { self == .queued || self == .rendering }

  /// The value of the column `processing_status` that hosts had before.
  public var processingStatus: String? {
    switch self {
    case .idle: nil
    case .queued, .rendering: "generating_video"
    case .completed: "completed"
    case .failed: "failed"
    }
  }

  /// The state that a row of that table stands for; idle by whatever else the column may hold.
  public init(processingStatus: String?, hasRenderID: Bool) {
    switch processingStatus {
    case "generating_video": self = hasRenderID ? .rendering : .queued
    case "completed": self = .completed
    case "failed": self = .failed
    default: self = .idle
    }
  }
}

/// What may happen to a render.
public enum Event: String, CaseIterable, Sendable {
  case start
  case progress
  case complete
  case fail
  case cancel
}
