public import JSON

/// Writes answers and notifications as lines, and the answers of a batch as one array.
///
/// The array is written piece by piece, so that a batch with large answers needs not be held.
public struct ResponseWriter: ~Copyable {
  private var writer = JSONWriter()
  /// Whether an array has begun and not ended: no notification may stand here.
  public private(set) var isInsideBatch = false

  public init() {}

  /// How many bytes wait to be taken.
  public var count: Int { writer.count }

  /// Adds the answer to a request, with its result.
  public mutating func answer(
    _ id: RequestID,
    at place: Inbox.Place,
    result: (inout JSONWriter) -> Void
  ) {
    beginAnswer(id, at: place)
    writer.key("result")
    result(&writer)
    endAnswer(at: place)
  }

  /// Adds the answer to a request that failed.
  public mutating func answer(_ id: RequestID, at place: Inbox.Place, error: RPCError) {
    beginAnswer(id, at: place)
    writer.key("error")
    error.write(to: &writer)
    endAnswer(at: place)
  }

  /// The message at this place is done with, answered or not: ends the array of a batch.
  public mutating func finish(_ place: Inbox.Place) {
    guard case .inBatch(isLast: true) = place, isInsideBatch else { return }
    writer.endArray()
    writer.endLine()
    isInsideBatch = false
  }

  /// Adds a notification to the host.
  public mutating func notify(_ method: StaticString, params: (inout JSONWriter) -> Void) {
    writer.beginObject()
    writer.key("jsonrpc")
    writer.string("2.0")
    writer.key("method")
    writer.string(method.description)
    writer.key("params")
    params(&writer)
    writer.endObject()
    writer.endLine()
  }

  /// A place to come back to, as long as nothing is taken.
  public struct Mark {
    fileprivate let text: JSONWriter.Mark
    fileprivate let isInsideBatch: Bool
  }

  public var mark: Mark { Mark(text: writer.mark, isInsideBatch: isInsideBatch) }

  /// Forgets what has been written since.
  public mutating func rewind(to mark: Mark) {
    writer.rewind(to: mark.text)
    isInsideBatch = mark.isInsideBatch
  }

  /// Hands over what has been written so far.
  public mutating func take() -> [UInt8] {
    writer.take()
  }

  private mutating func beginAnswer(_ id: RequestID, at place: Inbox.Place) {
    if case .inBatch = place, !isInsideBatch {
      writer.beginArray()
      isInsideBatch = true
    }
    writer.beginObject()
    writer.key("jsonrpc")
    writer.string("2.0")
    writer.key("id")
    writer.id(id)
  }

  private mutating func endAnswer(at place: Inbox.Place) {
    writer.endObject()
    if case .alone = place { writer.endLine() }
  }
}
