/// A JSON value, as it came in or as it goes out.
public enum JSON: Sendable {
  case null
  case bool(Bool)
  /// A number written without fraction and exponent that fits 64 bits, exactly.
  case integer(Int64)
  /// Any other number; infinite where no double holds what was written.
  case number(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)
}

extension JSON {
  /// The number as a double, whichever way it was written; nil for anything else.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// Whether a double holds every number in this value.
  public var isRepresentable: Bool {
    switch self {
    case .null, .bool, .integer, .string: true
    case .number(let value): value.isFinite
    case .array(let elements): elements.allSatisfy(\.isRepresentable)
    case .object(let object): object.members.allSatisfy(\.value.isRepresentable)
    }
  }

  /// How many arrays and objects are nested in this value, itself included; 0 for a scalar.
  public var depth: Int {
    switch self {
    case .null, .bool, .integer, .number, .string: 0
    case .array(let elements): 1 + (elements.lazy.map(\.depth).max() ?? 0)
    case .object(let object): 1 + (object.members.lazy.map(\.value.depth).max() ?? 0)
    }
  }
}
