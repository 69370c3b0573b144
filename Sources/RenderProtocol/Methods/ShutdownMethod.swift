/// Ends the sidecar as the end of its input would.
public enum ShutdownMethod: Method {
  public static let name = "shutdown"
  public static let actsAsNotification = true

  public typealias Answer = EmptyAnswer

  public struct Params: Sendable {}

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow()
    return Params()
  }
}
