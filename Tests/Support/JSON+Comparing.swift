public import JSON

extension JSON: Equatable {
  /// Whether both say the same: keys in any order, numbers by their value.
  public static func == (a: JSON, b: JSON) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    case (.integer, .number), (.number, .integer), (.number, .number): a.double == b.double
    case (.string(let a), .string(let b)): a.hasSameBytes(as: b)
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)):
      a.members.count == b.members.count
        && a.members.allSatisfy { member in b[member.key] == member.value }
    default: false
    }
  }
}

extension JSON: CustomStringConvertible {
  public var description: String { compactText }
}

extension JSON {
  /// The value at a path of keys; nil where one is missing.
  public subscript(_ path: String...) -> JSON? {
    var value = self
    for key in path {
      guard case .object(let object) = value, let member = object[key] else { return nil }
      value = member
    }
    return value
  }

  public var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  public var integer: Int64? {
    if case .integer(let value) = self { value } else { nil }
  }

  public var bool: Bool? {
    if case .bool(let flag) = self { flag } else { nil }
  }

  public var isNull: Bool {
    if case .null = self { true } else { false }
  }

  public var array: [JSON]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// The keys of an object, in their order.
  public var keys: [String]? {
    if case .object(let object) = self { object.members.map(\.key) } else { nil }
  }
}

/// A text as a JSON string.
public func quoted(_ text: String) -> String {
  JSON.string(text).compactText
}
