internal import JSON

extension JSON {
  /// The value of a key; nil where there is none, and for anything but an object.
  subscript(key: String) -> JSON? {
    guard case .object(let object) = self else { return nil }
    return object[key]
  }

  var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  var whole: Int64? {
    guard case .integer(let number) = self else { return nil }
    return number
  }

  var elements: [JSON] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }
}

extension JSONWriter {
  /// The line of a request.
  mutating func request(_ id: Int64, _ method: String, params: (inout JSONWriter) -> Void) {
    beginObject()
    member("jsonrpc", .string("2.0"))
    member("id", .integer(id))
    member("method", .string(method))
    key("params")
    beginObject()
    params(&self)
    endObject()
    endObject()
    endLine()
  }

  /// A member, unless there is no value for it.
  mutating func member(_ key: String, _ value: JSON?) {
    guard let value else { return }
    self.key(escaping: key)
    json(value)
  }
}
