public import JSON

/// Answers the OpenRPC document.
public enum DiscoverMethod: Method {
  public static let name = "rpc.discover"

  public struct Params: Sendable {}

  public struct Answer: WireValue {
    public init() {}

    public func write(to writer: inout JSONWriter) {
      writer.raw(openRPCDocument)
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow()
    return Params()
  }
}
