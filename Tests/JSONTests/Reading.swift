import JSON

extension JSON {
  init(reading bytes: [UInt8]) throws(JSONSyntaxError) {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(JSONSyntaxError) in try JSON(reading: bytes) }
    }
    self = try result.get()
  }

  /// Same kind, same bytes, same order, same number; 0 and -0 differ.
  func isSame(as other: JSON) -> Bool {
    switch (self, other) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    case (.number(let a), .number(let b)): a.bitPattern == b.bitPattern
    case (.string(let a), .string(let b)): a.hasSameBytes(as: b)
    case (.array(let a), .array(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.isSame(as: $1) }
    case (.object(let a), .object(let b)):
      a.members.count == b.members.count
        && zip(a.members, b.members).allSatisfy {
          $0.key.hasSameBytes(as: $1.key) && $0.value.isSame(as: $1.value)
        }
    default: false
    }
  }

  /// The code points of a string; nil for anything else.
  var scalars: [UInt32]? {
    guard case .string(let text) = self else { return nil }
    return text.unicodeScalars.map(\.value)
  }

  var object: JSONObject? {
    guard case .object(let object) = self else { return nil }
    return object
  }
}

/// Whether these bytes are refused.
func isRefused(_ bytes: some Collection<UInt8>) -> Bool {
  do throws(JSONSyntaxError) {
    _ = try JSON(reading: Array(bytes))
    return false
  } catch {
    return true
  }
}

func isRefused(_ text: String) -> Bool {
  isRefused(text.utf8)
}
