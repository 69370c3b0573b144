public import JSON

/// The id of a request, which its answer repeats as equal JSON.
public enum RequestID: Sendable {
  case null
  /// An integer of 64 bits, exactly.
  case integer(Int64)
  /// Any other number, equal as a double.
  case number(Double)
  case string(String)

  /// The id in a message's `id` member; nil for what cannot be one, or cannot be repeated.
  public init?(_ json: JSON) {
    switch json {
    case .null: self = .null
    case .integer(let value): self = .integer(value)
    case .number(let value) where value.isFinite: self = .number(value)
    case .string(let text): self = .string(text)
    case .number, .bool, .array, .object: return nil
    }
  }
}

extension JSONWriter {
  mutating func id(_ id: RequestID) {
    switch id {
    case .null: null()
    case .integer(let value): integer(value)
    case .number(let value): number(value)
    case .string(let text): string(text)
    }
  }
}
