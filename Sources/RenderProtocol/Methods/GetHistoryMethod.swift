public import JSON
public import RenderModel

/// Pages through the changes of one render, oldest first.
public enum GetHistoryMethod: Method {
  public static let name = "getHistory"

  public struct Params: Sendable {
    public let id: String
    public let afterSeq: Int64
    public let limit: Int
  }

  public struct Answer: WireValue {
    public let changes: [Change]
    /// nil on the last page.
    public let nextAfterSeq: Int64?

    public init(changes: [Change], nextAfterSeq: Int64?) {
      self.changes = changes
      self.nextAfterSeq = nextAfterSeq
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("changes")
      writer.beginArray()
      for change in changes { writer.change(change) }
      writer.endArray()
      writer.key("nextAfterSeq")
      if let nextAfterSeq { writer.integer(nextAfterSeq) } else { writer.null() }
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("id", "afterSeq", "limit")
    return Params(
      id: try params.identifier("id"),
      afterSeq: try params.optionalInteger("afterSeq") ?? 0,
      limit: try params.pageLimit("limit")
    )
  }
}
