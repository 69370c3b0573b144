public import JSON
public import RenderModel

/// Pages through the renders, the last changed first.
public enum ListStatusesMethod: Method {
  public static let name = "listStatuses"

  public struct Params: Sendable {
    /// All states but idle if none are named: an idle render is not stored.
    public let states: [State]
    public let cursor: ListCursor?
    public let limit: Int
  }

  public struct Answer: WireValue {
    public let renders: [Render]
    /// nil on the last page.
    public let next: ListCursor?

    public init(renders: [Render], next: ListCursor?) {
      self.renders = renders
      self.next = next
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("statuses")
      writer.statuses(renders)
      writer.key("nextCursor")
      writer.string(next?.text)
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("states", "cursor", "limit")
    let states = try params.optionalStates("states") ?? State.allCases
    var cursor: ListCursor?
    if let text = try params.optionalFreeText("cursor") {
      cursor = ListCursor(text: text)
      guard cursor != nil else {
        throw params.invalid("cursor", "it must be the nextCursor of an answer")
      }
    }
    return Params(states: states, cursor: cursor, limit: try params.pageLimit("limit"))
  }
}

/// A place in the list: behind a render that was last changed then.
public struct ListCursor: Sendable, Equatable {
  public let updatedAt: Timestamp
  public let seq: Int64

  public init(updatedAt: Timestamp, seq: Int64) {
    self.updatedAt = updatedAt
    self.seq = seq
  }

  /// Takes only what `text` makes.
  init?(text: String) {
    // A moment before 1970 has a minus sign of its own.
    guard text.hasPrefix("c1-"), let dash = text.lastIndex(of: "-"),
      let start = text.index(text.startIndex, offsetBy: 3, limitedBy: dash),
      let milliseconds = Int64(text[start..<dash], radix: 36),
      let seq = Int64(text[text.index(after: dash)...], radix: 36), seq > 0
    else { return nil }
    self.init(updatedAt: Timestamp(milliseconds: milliseconds), seq: seq)
    guard self.text.hasSameBytes(as: text) else { return nil }
  }

  var text: String {
    "c1-\(String(updatedAt.milliseconds, radix: 36))-\(String(seq, radix: 36))"
  }
}
