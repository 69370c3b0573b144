public import JSON

/// One method of the wire: its name, what it takes and what it answers.
///
/// A new one is a file with such a type, a line in `Catalogue`, and a handler in `Sidecar`.
public protocol Method: Sendable {
  associatedtype Params: Sendable
  associatedtype Answer: WireValue

  static var name: String { get }

  /// Whether it takes effect when it is sent as a notification; if not, it is ignored so.
  static var actsAsNotification: Bool { get }

  /// Reads the params, all of them: an unknown name is an error.
  static func read(_ params: ParamsReader) throws(InvalidParams) -> Params
}

extension Method {
  public static var actsAsNotification: Bool { false }
}

/// Something that is written as one JSON value.
public protocol WireValue: Sendable {
  func write(to writer: inout JSONWriter)
}

/// The answer of a method that has nothing to tell: `{}`.
public struct EmptyAnswer: WireValue {
  public init() {}

  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.endObject()
  }
}
