/// Gives whatever libFuzzer comes up with to a sidecar as its stdin, with the program's own instrumented code:
/// see scenarios/fuzzing.py.
///
/// Each line must get the answer that it is owed, and each answer be JSON.

internal import Foundation
internal import JSON
internal import JSONRPC
internal import Logging
internal import RenderModel
internal import RenderStore
internal import Sidecar

private let longestLine = 4_096

private let silent = Logger(label: "fuzzer") { _ in SwiftLogNoOpLogHandler() }

/// The databases, one after the other; libFuzzer has one thread.
private final class Ground: @unchecked Sendable {
  private let folder = FileManager.default.temporaryDirectory
    .appending(path: "renderstate-fuzzer-\(UUID().uuidString)")
  private var store: RenderStore?
  private var uses = 0

  /// A database in which not much has happened yet: else a session reads ever more.
  func nextStore() throws -> RenderStore {
    if let store, uses < 50 {
      uses += 1
      return store
    }
    store?.close()
    try? FileManager.default.removeItem(at: folder)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let new = try RenderStore.open(
      path: folder.appending(path: "fuzzed.sqlite").path(percentEncoded: false),
      options: RenderStore.Options(synchronous: .normal),
      logger: silent
    )
    (store, uses) = (new, 1)
    return new
  }
}

private let ground = Ground()

/// Whether a message, alone or in a batch, is owed an answer.
private func isAnswered(_ json: JSON) -> Bool {
  guard case .object(let envelope) = json, case .string("2.0")? = envelope["jsonrpc"] else {
    return true
  }
  if case .string? = envelope["method"] { return envelope["id"] != nil }
  let isResponse = envelope["result"] != nil || envelope["error"] != nil
  return !(isResponse && envelope["id"] != nil && envelope["method"] == nil)
}

/// How many lines of answers are owed for an input.
private func owed(_ input: [UInt8]) -> Int {
  var count = 0
  let lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  for (index, line) in lines.enumerated() {
    let hasEnd = index < lines.count - 1
    let line = hasEnd && line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    if line.count > longestLine {
      count += 1
    } else if !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) {
      switch line.withUnsafeBytes({ try? JSON(reading: $0) }) {
      case .array(let elements)?:
        let isRead = (1...1_000).contains(elements.count)
        count += !isRead || elements.contains(where: isAnswered) ? 1 : 0
      case let json?:
        count += isAnswered(json) ? 1 : 0
      case nil:
        count += 1
      }
    }
  }
  return count
}

/// What came back, read on a thread of its own as a host does.
private final class Answers: @unchecked Sendable {
  private let ended = DispatchSemaphore(value: 0)
  private var lines: [String] = []

  init(of host: MemoryHost) {
    let thread = Thread { [self] in
      while let line = host.receive() { lines.append(line) }
      ended.signal()
    }
    thread.start()
  }

  func all() -> [String] {
    ended.wait()
    return lines
  }
}

/// What libFuzzer calls with each input.
///
/// - Returns: always 0, as it wants it.
@_cdecl("LLVMFuzzerTestOneInput")
public func converse(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let (connection, host) = Connection.memory(
    maximumLineBytes: longestLine,
    readingParams: Sidecar.readingParams
  )
  let answers = Answers(of: host)
  host.send(input)
  host.end()
  let settings = Settings(
    version: "0.0.0",
    defaultTimeouts: .off,
    clock: SystemClock(),
    logger: silent
  )
  do {
    let store = try ground.nextStore()
    Sidecar(store: store, connection: connection, settings: settings).run()
  } catch {
    fatalError("\(error)")
  }
  var answered = 0
  for line in answers.all() {
    guard let json = try? JSON(reading: line) else { fatalError("a line that is no JSON: \(line)") }
    if case .object(let message) = json {
      if message["method"] != nil { continue }
      if case .object(let error)? = message["error"], case .integer(-32_603)? = error["code"] {
        fatalError("an internal error: \(line)")
      }
    }
    answered += 1
  }
  let owed = owed(input)
  guard answered == owed else { fatalError("\(answered) answers, and \(owed) are owed") }
  return 0
}
