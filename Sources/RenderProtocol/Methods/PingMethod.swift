/// Answers, and does nothing else.
public enum PingMethod: Method {
  public static let name = "ping"

  public typealias Answer = EmptyAnswer

  public struct Params: Sendable {}

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow()
    return Params()
  }
}
