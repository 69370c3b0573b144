public import JSON
public import RenderModel

/// Reads several renders at one moment, in the order asked.
public enum GetStatusesMethod: Method {
  public static let name = "getStatuses"

  public struct Params: Sendable {
    public let ids: [String]
  }

  public struct Answer: WireValue {
    public let renders: [Render]

    public init(renders: [Render]) {
      self.renders = renders
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("statuses")
      writer.statuses(renders)
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("ids")
    return Params(ids: try params.identifiers("ids"))
  }
}
