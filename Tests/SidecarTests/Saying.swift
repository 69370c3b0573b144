import JSON
import RenderModel
import RenderStore
import Support

/// What a line says, in one word or two: for tests of the order.
///
/// An answer is its id, with the kind of its error; a notification is its subscription and the
/// number of the change, or the reason of the end.
func spelled(_ message: JSON) -> String {
  if let params = message["params"] {
    let name = params["subscription"]?.string ?? "?"
    if let reason = params["reason"]?.string { return "\(name) \(reason)" }
    return "\(name) \(params["change", "seq"]?.integer ?? -1)"
  }
  if let elements = message.array {
    return "[\(elements.map(spelled).joined(separator: ", "))]"
  }
  let id = message["id"]?.description ?? "?"
  guard let error = message["error"] else { return id }
  return "\(id) \(error["data", "kind"]?.string ?? "?")"
}

func json(_ text: String) throws -> JSON {
  try JSON(reading: text)
}

/// The kind of an error.
func kind(_ error: JSON) -> String? {
  error["data", "kind"]?.string
}

extension MemorySidecar {
  /// The next lines, each in a word or two.
  func receive(_ count: Int) throws -> [String] {
    try (0..<count).map { _ in spelled(try receive()) }
  }
}

extension RenderStore {
  /// Makes changes of renders in one commit, as another process would: a start of each that is
  /// idle, then progress.
  func makeChanges(of ids: [String]) throws {
    let now = Timestamp(milliseconds: 1_795_348_800_000)
    try write { transaction throws(StoreError) in
      var started: Set<String> = []
      for id in ids {
        var isFirst = started.insert(id).inserted
        if isFirst { isFirst = try render(id).state == .idle }
        let action = Command.Action.event(isFirst ? .start : .progress)
        _ = try transaction.apply(Command(id: id, action: action), at: now)
      }
    }
  }

  /// Calls a body while nobody else can write.
  func locked(_ body: () throws -> Void) throws {
    var failure: (any Error)?
    try write { _ throws(StoreError) in
      do {
        try body()
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }
}
