public import JSON
internal import RenderModel

/// Introduces both sides; nobody has to.
public enum InitializeMethod: Method {
  public static let name = "initialize"

  public struct Params: Sendable {}

  public struct Answer: WireValue {
    public let serverVersion: String
    public let storeKind: String

    public init(serverVersion: String, storeKind: String) {
      self.serverVersion = serverVersion
      self.storeKind = storeKind
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("server")
      writer.beginObject()
      writer.key("name")
      writer.string("renderstate")
      writer.key("version")
      writer.string(serverVersion)
      writer.endObject()
      writer.key("protocolVersion")
      writer.integer(Int64(Catalogue.protocolVersion))
      writer.key("store")
      writer.beginObject()
      writer.key("kind")
      writer.string(storeKind)
      writer.endObject()
      writer.key("machine")
      writer.machine()
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("client")
    _ = try params.optionalRawObject("client")
    return Params()
  }
}

extension JSONWriter {
  fileprivate mutating func machine() {
    beginObject()
    key("states")
    beginArray()
    for state in State.allCases { string(state.rawValue) }
    endArray()
    key("events")
    beginArray()
    for event in Event.allCases { string(event.rawValue) }
    endArray()
    key("transitions")
    beginArray()
    for row in Machine.table {
      beginObject()
      key("from")
      string(row.from.rawValue)
      key("event")
      string(row.event.rawValue)
      key("to")
      string(row.to.rawValue)
      endObject()
    }
    endArray()
    endObject()
  }
}
