public import JSON

/// What the host keeps with a render: a JSON object, held as its compact text.
///
/// The text goes from the store to the wire as it is; it is only read where something is merged.
public struct Metadata: Sendable {
  /// Compact JSON, an object.
  public let text: String

  public static let empty = Metadata(text: "{}")

  /// The most bytes of the compact text: 16 KiB, as given and as merged.
  public static let maximumBytes = 16 * 1_024

  /// The most levels of nesting, the object being the first.
  public static let maximumDepth = 8

  private init(text: String) {
    self.text = text
  }

  /// Takes what a store has kept; nil if it is not a JSON object.
  ///
  /// A SQL shell may have written it, and a broken disk may have changed it: what is not compact is
  /// made so, because a line break in it would break the line it is sent on.
  public init?(stored text: String) {
    guard text != Self.empty.text else {
      self = .empty
      return
    }
    guard case .object(let object)? = try? JSON(reading: text) else { return nil }
    let isOneLine = text.utf8.allSatisfy { $0 >= 0x20 }
    self.text = isOneLine ? text : JSON.object(object).compactText
  }

  /// Merges key by key at the top level; a null removes the key.
  ///
  /// - Returns: nil if the result has more than `maximumBytes`.
  func merging(_ change: MetadataChange) -> Metadata? {
    var object = JSONObject()
    if text != Self.empty.text, case .object(let stored)? = try? JSON(reading: text) {
      object = stored
    }
    object.merge(change.object)
    let merged = JSON.object(object).compactText
    return merged.utf8.count <= Self.maximumBytes ? Metadata(text: merged) : nil
  }
}

/// The metadata that one event carries.
public struct MetadataChange: Sendable {
  public let object: JSONObject
  /// The same as compact JSON, for the log.
  public let text: String

  public init(_ object: JSONObject) {
    self.object = object
    text = JSON.object(object).compactText
  }
}
