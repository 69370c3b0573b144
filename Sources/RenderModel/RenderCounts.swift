/// How many renders are in each state in which there can be some: an idle one is not stored.
public struct RenderCounts: Sendable, Equatable {
  public let queued: Int64
  public let rendering: Int64
  public let completed: Int64
  public let failed: Int64

  public init(queued: Int64, rendering: Int64, completed: Int64, failed: Int64) {
    self.queued = queued
    self.rendering = rendering
    self.completed = completed
    self.failed = failed
  }
}
