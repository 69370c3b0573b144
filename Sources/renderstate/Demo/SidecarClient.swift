internal import Foundation
internal import JSON
internal import Synchronization

/// A host's end of a sidecar: writes requests, matches answers by their id, hands notifications on.
final class SidecarClient: Sendable {
  /// The result of a request, its `Refusal`, or that the sidecar has ended before.
  typealias Answer = Promise<Result<JSON, any Error>>

  private let child: ChildProcess
  private let pending = Mutex(Pending())

  private struct Pending {
    var lastID: Int64 = 0
    var answers: [Int64: Answer] = [:]
    var hasEnded = false
  }

  /// Starts this executable as a sidecar.
  ///
  /// Both closures are called on the thread that reads.
  init(
    _ workplace: Workplace,
    log: String,
    notify: @escaping @Sendable (_ method: String, _ params: JSON) -> Void = { _, _ in },
    end: @escaping @Sendable () -> Void = {}
  ) throws {
    child = try workplace.start(
      "/proc/self/exe",
      ["serve", "--database", workplace.path("demo.sqlite")],
      log: log
    )
    Thread.detachNewThread { self.readLines(notify, end) }
  }

  var pid: pid_t { child.pid }

  /// Sends a request and waits for its result; throws a `Refusal` if that is what comes.
  @discardableResult
  func call(_ method: String, params: (inout JSONWriter) -> Void) throws -> JSON {
    try send(method, params: params).wait().get()
  }

  @discardableResult
  func call(_ transition: Transition) throws -> JSON {
    try call("transition", params: transition.write)
  }

  func send(_ method: String, params: (inout JSONWriter) -> Void) -> Answer {
    let answer = Answer()
    pending.withLock { pending in
      guard !pending.hasEnded else { return answer.put(.failure(endedError)) }
      pending.lastID += 1
      pending.answers[pending.lastID] = answer
      var writer = JSONWriter()
      writer.request(pending.lastID, method, params: params)
      child.write(writer.bytes[...])
    }
    return answer
  }

  /// Ends it the way a host does, and waits until it has gone.
  func stop() {
    child.closeInput()
    child.waitForEnd(seconds: 5)
  }

  private func readLines(_ notify: (String, JSON) -> Void, _ end: () -> Void) {
    child.forEachLine { line in
      guard let message = try? JSON(reading: line) else { return }
      if let id = message["id"]?.whole {
        let answer = pending.withLock { $0.answers.removeValue(forKey: id) }
        answer?.put(Result { try Refusal.resultOrThrow(message, line: line) })
      } else if let method = message["method"]?.text, let params = message["params"] {
        notify(method, params)
      }
    }
    let owed = pending.withLock { pending in
      pending.hasEnded = true
      return pending.answers.values
    }
    for answer in owed { answer.put(.failure(endedError)) }
    end()
  }

  private var endedError: CommandError {
    let reason = child.lastLogLine.map { "; it said last: \($0)" } ?? ""
    return CommandError(message: "the sidecar, process \(pid), ended before its time\(reason)")
  }
}

/// An error a sidecar answered with.
struct Refusal: Error, CustomStringConvertible {
  let error: JSON
  /// The line as it came over the pipe.
  let line: String

  var kind: String? { error["data"]?["kind"]?.text }

  /// As in "conflict (-32002)".
  var name: String { "\(kind ?? "error") (\(error["code"]?.whole ?? 0))" }

  var description: String { "the sidecar refused what the demo asked: \(line)" }

  static func resultOrThrow(_ message: JSON, line: String) throws -> JSON {
    if let error = message["error"] { throw Refusal(error: error, line: line) }
    return message["result"] ?? .null
  }
}

/// The params of a `transition`.
struct Transition {
  let id: String
  let event: String
  let actor: String
  var idempotencyKey: String?
  var expectedVersion: Int64?
  var context: KeyValuePairs<String, JSON> = [:]
  var metadata: KeyValuePairs<String, JSON> = [:]

  func write(to writer: inout JSONWriter) {
    writer.member("id", .string(id))
    writer.member("event", .string(event))
    writer.member("actor", .string(actor))
    writer.member("idempotencyKey", idempotencyKey.map(JSON.string))
    writer.member("expectedVersion", expectedVersion.map(JSON.integer))
    writer.key("context")
    writer.beginObject()
    for (key, value) in context { writer.member(key, value) }
    if !metadata.isEmpty {
      writer.key("metadata")
      writer.beginObject()
      for (key, value) in metadata { writer.member(key, value) }
      writer.endObject()
    }
    writer.endObject()
  }
}
