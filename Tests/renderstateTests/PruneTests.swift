import Foundation
import JSON
import RenderModel
import RenderStore
import Support
import Testing

@testable import renderstate

@Suite("renderstate prune")
struct PruneTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let day: Int64 = 86_400_000

  /// Renders that ended and began some days ago.
  private func makeStore() throws {
    let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1_000))
    let store = try RenderStore.open(path: folder.database, logger: .silent)
    defer { store.close() }
    try store.write { transaction throws(StoreError) in
      for (id, days, events) in [
        ("old", 40, [Event.start, .progress, .progress, .complete]),
        ("older", 50, [.start, .fail]),
        ("recent", 3, [.start, .progress, .progress, .progress, .complete]),
        ("running", 2, [.start, .progress, .progress, .progress]), ("new", 0, [.start, .progress]),
      ] as [(String, Int64, [Event])] {
        for event in events {
          let command = Command(id: id, action: .event(event))
          _ = try transaction.apply(command, at: now.advanced(by: -days * Self.day))
        }
      }
    }
  }

  private func prune(_ arguments: String...) throws -> SidecarProcess.Outcome {
    try SidecarProcess.run(["prune"] + arguments + ["--database", folder.database])
  }

  private func use<Result>(_ body: (RenderStore) throws -> Result) throws -> Result {
    let store = try RenderStore.open(existing: folder.database, for: .reading, logger: .silent)
    defer { store.close() }
    return try body(store)
  }

  @Test("what is told: in a line, or as JSON; with --dry-run nothing changes")
  func output() throws {
    try makeStore()
    var told = ""
    for arguments in [["--dry-run"], ["--dry-run", "--json"], [], ["--json"]] {
      let outcome = try SidecarProcess.run(
        ["prune", "--finished-before", "30d", "--progress-log-before", "1d"] + arguments
          + ["--database", folder.database]
      )
      #expect(outcome.exit == .code(0))
      #expect(outcome.errors == "")
      told += outcome.output
      let isDry = arguments.contains("--dry-run")
      #expect(try use { try $0.changes(after: 0, limit: 99).count } == (isDry ? 17 : 8))
    }
    try Golden.expect(
      told.replacing(/"longestPauseMs":[0-9.]+/, with: #""longestPauseMs":1.5"#),
      in: "Output/prune.txt"
    )
  }

  @Test("each option removes its own, and ages are as they are said")
  func options() throws {
    try makeStore()
    func line(_ arguments: String...) throws -> String {
      try SidecarProcess.run(
        ["prune", "--dry-run"] + arguments + ["--database", folder.database]
      ).output
    }
    for (age, renders) in [("45d", 1), ("1000h", 1), ("30d", 2), ("2d", 3), ("0", 3), ("60d", 0)] {
      let text = try line("--finished-before", age)
      #expect(text.hasPrefix("would remove \(renders) render"), "\(age) \(text)")
      #expect(text.hasSuffix("and 0 changes of progress of others\n"))
    }
    #expect(
      try line("--progress-log-before", "2.5d")
        == "would remove 0 renders with 0 changes, and 3 changes of progress of others\n"
    )
  }

  @Test("beside a sidecar: nobody notices but who resumes where something is missing")
  func besideSidecar() throws {
    try makeStore()
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.call("subscribe", #"{"ids":["running"]}"#)
    let outcome = try prune("--finished-before", "30d", "--progress-log-before", "1d")
    #expect(outcome.exit == .code(0))
    let status = try sidecar.call("getStatus", #"{"id":"old"}"#)
    #expect(status.string("result", "state") == "idle")
    let answer = try sidecar.call("subscribe", #"{"afterSeq":2}"#)
    #expect(try #require(answer.json)["result"]?["gap"]?.compactText == "true")
    #expect(try sidecar.transition("old", "start").json?["result"]?["version"]?.whole == 5)
    #expect(try sidecar.stop() == .code(0))
  }

  @Test("serve --keep-finished and --keep-progress prune by themselves, also what was there before")
  func serve() throws {
    try makeStore()
    let arguments = ["--keep-finished", "30d", "--keep-progress", "1d"]
    let sidecar = try SidecarProcess(serving: folder.database, arguments)
    // It asks in between, so that nothing is waited for.
    var attempts = 0
    while try use({ try $0.changes(after: 0, limit: 99).count }) != 8 {
      attempts += 1
      try #require(attempts < 100_000)
      _ = try sidecar.call("ping")
    }
    #expect(try sidecar.stop() == .code(0))
  }

  @Test("a database that is not there is a line on stderr and code 1, and none is made")
  func missing() throws {
    for flags in [[], ["--dry-run"]] {
      let arguments = ["prune", "--finished-before", "1d", "--database", folder.database] + flags
      let outcome = try SidecarProcess.run(arguments)
      #expect(outcome.exit == .code(1))
      #expect(outcome.errors.hasPrefix("renderstate: there is no database"))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }
}
