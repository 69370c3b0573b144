/// A param that cannot be taken: which one, and why.
public struct InvalidParams: Error, Sendable, Equatable {
  /// Like `params.context.progress` or `params.ids[1]`.
  public let path: String
  public let reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}
