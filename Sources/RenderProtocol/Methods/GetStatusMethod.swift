/// Reads one render.
public enum GetStatusMethod: Method {
  public static let name = "getStatus"

  public typealias Answer = Status

  public struct Params: Sendable {
    public let id: String
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("id")
    return Params(id: try params.identifier("id"))
  }
}
