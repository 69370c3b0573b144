internal import Foundation
internal import JSON
internal import Synchronization

/// A child at the other end of two pipes, and a host that does nothing but measure it.
///
/// The thread that measures reads by itself, so that no hand-over between threads is part of a time.
final class BenchedChild {
  private let child: ChildProcess
  private let lines: LineReader
  /// How many requests it has answered.
  private(set) var answered = 0

  init(_ child: ChildProcess) {
    self.child = child
    lines = child.lines()
  }

  /// Ends it the way a host does, and waits until it has gone.
  func stop() {
    child.closeInput()
    child.waitForEnd(seconds: 5)
  }

  /// The memory it has now, in bytes (proc(5), VmRSS); nil if it has gone.
  var residentBytes: Int64? {
    let status = try? String(contentsOfFile: "/proc/\(child.pid)/status", encoding: .utf8)
    let line = status?.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first
    return kibibytes.flatMap { Int64($0) }.map { $0 * 1_024 }
  }

  // MARK: - One at a time

  func ask(_ requests: RequestLines, _ line: Int) throws {
    child.write(requests.lines(line..<line + 1))
    try takeAnswer(requests, line)
  }

  func echo(_ requests: RequestLines, _ line: Int) throws {
    child.write(requests.lines(line..<line + 1))
    let answer = try nextLine()
    guard requests.isEchoed(line, by: answer) else { throw unexpected(answer) }
  }

  func subscribe() throws {
    child.write(Array(#"{"jsonrpc":"2.0","id":0,"method":"subscribe"}"#.utf8 + [0x0A])[...])
    let answer = try nextLine()
    guard answer.starts(with: #"{"jsonrpc":"2.0","id":0,"result":"#.utf8) else {
      throw unexpected(answer)
    }
  }

  func takeNotification() throws {
    let line = try nextLine()
    guard line.starts(with: #"{"jsonrpc":"2.0","method":"status","#.utf8) else {
      throw unexpected(line)
    }
  }

  // MARK: - Many at a time

  /// Keeps so many requests in flight while more are wanted; returns how long each was on its way.
  func keepInFlight(
    _ requests: RequestLines,
    whileWanted isWanted: (_ sent: Int) -> Bool
  ) throws -> [UInt64] {
    let inFlight = BenchMeasure.inFlight
    var sendingTimes = [UInt64](repeating: 0, count: inFlight)
    var times: [UInt64] = []
    var sent = 0
    repeat {
      while sent < times.count + inFlight, isWanted(sent) {
        let first = sent % requests.count
        let count = min(times.count + inFlight - sent, requests.count - first)
        let now = BenchWindow.now
        for request in sent..<sent + count { sendingTimes[request % inFlight] = now }
        child.write(requests.lines(first..<first + count))
        sent += count
      }
      // Whatever has come is taken before more is sent, as a host's event loop does.
      while times.count < sent {
        try takeAnswer(requests, times.count % requests.count)
        times.append(BenchWindow.now - sendingTimes[times.count % inFlight])
        if !lines.hasLine { break }
      }
    } while times.count < sent
    return times
  }

  /// Writes as much as the pipe takes while more is wanted; returns how many were answered.
  func stream(
    _ requests: RequestLines,
    whileWanted isWanted: @escaping @Sendable () -> Bool
  ) throws -> Int {
    let rounds = StreamedRounds()
    Thread.detachNewThread { [child] in
      var sent = 0
      repeat {
        sent += 1
        // Told before it is written: when its last answer is there, it is known to be the last.
        if !isWanted() { rounds.last.store(sent, ordering: .releasing) }
        child.write(requests.lines(0..<requests.count))
      } while rounds.last.load(ordering: .relaxed) == 0
    }
    var round = 0
    repeat {
      for line in 0..<requests.count { try takeAnswer(requests, line) }
      round += 1
    } while rounds.last.load(ordering: .acquiring) != round
    return round * requests.count
  }

  private final class StreamedRounds: Sendable {
    /// 0 until it is known.
    let last = Atomic(0)
  }

  // MARK: - What comes back

  private func takeAnswer(_ requests: RequestLines, _ line: Int) throws {
    let answer = try nextLine()
    guard requests.isAnswered(line, by: answer) else { throw unexpected(answer) }
    answered += 1
  }

  private func nextLine() throws -> UnsafeRawBufferPointer {
    if let line = lines.next() { return line }
    let ending = child.waitForEnd()
    let reason = child.lastLogLine.map { ": \($0)" } ?? ""
    // Code 1 is a database that cannot be opened.
    let advice = ending == .exited(1) ? Bench.adviceForDisk : "start the bench again"
    throw CommandError(
      message: "process \(child.pid) \(ending) before its time\(reason); \(advice)"
    )
  }

  private func unexpected(_ line: UnsafeRawBufferPointer) -> CommandError {
    let text = String(decoding: line.prefix(500), as: UTF8.self)
    guard let message = try? JSON(reading: line), let reason = message["error"]?["message"]?.text
    else { return CommandError(message: "this is not what was asked for, a defect: \(text)") }
    return CommandError(message: "the sidecar cannot go on: \(reason); \(Bench.adviceForDisk)")
  }
}
