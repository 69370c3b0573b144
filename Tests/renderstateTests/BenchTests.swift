import Foundation
import Glibc
import JSON
import Support
import Testing

@testable import renderstate

@Suite("renderstate bench")
struct BenchTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test(
    "--json prints one object with every key, and figures that can be",
    arguments: ["full", "normal"]
  )
  func json(synchronous: String) throws {
    let arguments = ["--json", "--duration", "300ms", "--synchronous", synchronous]
    let outcome = try SidecarProcess.run(bench(arguments))
    #expect(outcome.exit == .code(0), "\(outcome.errors)")
    #expect(outcome.output.hasSuffix("\n") && outcome.output.split(separator: "\n").count == 1)
    let json = try JSON(reading: outcome.output)
    #expect(
      json.keys == [
        "renderstateVersion", "sqliteVersion", "synchronous", "folder", "processors",
        "processorModel", "loadBefore", "renders", "inFlight", "measures", "ratios", "memory",
      ]
    )
    #expect(json["synchronous"]?.text == synchronous)
    #expect(json["folder"]?.text == folder.realPath + "/")
    #expect(json["sqliteVersion"]?.text?.hasPrefix("3.") == true)
    #expect(json["renderstateVersion"]?.text == RenderStateCommand.version)
    #expect(try #require(json["loadBefore"]?.double) >= 0)
    for key in ["processors", "renders", "inFlight"] {
      #expect(try #require(json[key]?.whole) > 0)
    }

    let withoutRate = ["startup", "notification", "notificationInOtherProcess"]
    let withoutLatency = ["transitionStreamed", "getStatusStreamed"]
    let measures = try #require(json["measures"])
    #expect(
      measures.keys == [
        "diskCommit", "pipeRoundTrip", "startup", "transition", "transitionInFlight",
        "transitionStreamed", "getStatus", "getStatusInFlight", "getStatusStreamed",
        "notification", "notificationInOtherProcess",
      ]
    )
    for name in measures.keys {
      let measure = try #require(measures[name])
      #expect(measure.keys == ["count", "perSecond", "p50Us", "p99Us", "maxUs"])
      #expect(try #require(measure["count"]?.whole) > 0, "\(name)")
      if withoutRate.contains(name) {
        #expect(measure["perSecond"]?.compactText == "null", "\(name)")
      } else {
        #expect(try #require(measure["perSecond"]?.double) > 0, "\(name)")
      }
      let latency = ["p50Us", "p99Us", "maxUs"].compactMap { measure[$0]?.double }
      if withoutLatency.contains(name) {
        #expect(latency.isEmpty, "\(name)")
      } else {
        #expect(latency.count == 3 && latency == latency.sorted() && latency[0] > 0, "\(name)")
      }
    }
    let ratios = try #require(json["ratios"])
    #expect(
      ratios.keys == [
        "transitionP50ToCommitAndPipeP50", "transitionsInFlightToCommitsPerSecond",
        "transitionsStreamedToCommitsPerSecond", "getStatusP50ToPipeP50",
      ]
    )
    for name in ratios.keys { #expect(try #require(ratios[name]?.double) > 0) }
    let memory = try #require(json["memory"])
    #expect(memory.keys == ["atRestBytes", "afterLoadBytes", "loadRequests"])
    for name in memory.keys { #expect(try #require(memory[name]?.whole) > 0) }
    try folder.expectNothingLeft()
  }

  @Test("without --json it prints its heading and its table in plain lines, and progress on stderr")
  func table() throws {
    let outcome = try SidecarProcess.run(bench(["--duration", "100ms"]))
    #expect(outcome.exit == .code(0), "\(outcome.errors)")
    #expect(!outcome.output.contains("\u{1B}") && !outcome.errors.contains("\u{1B}"))
    let heading = "renderstate \(RenderStateCommand.version) bench: SQLite 3."
    #expect(outcome.output.hasPrefix(heading))
    #expect(outcome.output.contains("synchronous full\nin \(folder.realPath)/\n"))
    for title in BenchMeasure.allCases.map(\.title) + ["memory at rest", "× a commit and a line"] {
      #expect(outcome.output.contains(title), "\(title) is not told")
    }
    for step in ["0 % start to first answer", "one at a time", "notifications"] {
      #expect(outcome.errors.contains(step), "\(step) is not told")
    }
    try folder.expectNothingLeft()
  }

  @Test("the real database is neither opened nor changed, and a link to it leads to its disk")
  func realDatabase() throws {
    let elsewhere = try TemporaryFolder()
    // Whoever opened it would wait for somebody at its other end, for ever.
    #expect(mkfifo(elsewhere.database, 0o600) == 0)
    try FileManager.default.createSymbolicLink(
      atPath: folder.database,
      withDestinationPath: elsewhere.database
    )
    let outcome = try SidecarProcess.run(bench(["--duration", "100ms", "--json"]))
    #expect(outcome.exit == .code(0), "\(outcome.errors)")
    let json = try JSON(reading: outcome.output)
    #expect(json["folder"]?.text == elsewhere.url.resolvingSymlinksInPath().path + "/")
    for folder in [folder, elsewhere] {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      #expect(names == ["store.sqlite"])
    }
  }

  @Test("a place that cannot be measured is one line with what to do, and nothing is made")
  func unusablePlace() throws {
    for (database, reason) in [
      (folder.path("missing/store.sqlite"), "No such file or directory"),
      // Nobody can make a folder there, not even root.
      ("/proc/store.sqlite", "no folder can be made in /proc/"),
      (folder.url.path, "is a folder"),
      ("postgres://user:secret@host/renders", "no PostgreSQL store"),
    ] {
      let outcome = try SidecarProcess.run(["bench", "--database", database])
      #expect(outcome.exit == .code(1))
      #expect(outcome.output == "")
      #expect(outcome.errors.contains(reason) && outcome.errors.contains("--database"))
      #expect(!outcome.errors.contains("secret"))
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
    try folder.expectNothingLeft()
  }

  @Test(
    "a disk that is full from the start, or later, ends it with the reason",
    arguments: [1, 6_000]
  )
  func fullDisk(kibibytes: Int) throws {
    var launch = SidecarProcess.Launch(bench(["--duration", "20s", "--json"]))
    launch.wrapper = ["bash", "-c", #"ulimit -f \#(kibibytes); exec "$@""#, "bash"]
    let process = try SidecarProcess(launch)
    #expect(try process.stop() == .code(1))
    #expect(try process.outputText() == "")
    let reason = try #require(process.errorText().split(separator: "\n").last)
    #expect(reason.hasPrefix("renderstate: ") && reason.contains("--database"), "\(reason)")
    try folder.expectNothingLeft()
  }

  @Test("a sidecar that dies in the middle ends it with the reason")
  func killedSidecar() throws {
    let process = try SidecarProcess(.init(bench(["--duration", "20s"])))
    try process.awaitError(containing: "transition, streamed")
    for child in try Self.children(of: process.identifier) { kill(child, SIGKILL) }
    #expect(try process.exit() == .code(1))
    let errors = try process.errorText()
    #expect(errors.contains("was killed by signal 9 before its time; start the bench again"))
    try folder.expectNothingLeft()
  }

  @Test(
    "Ctrl-C in any step leaves no process and no file",
    arguments: [
      ("start to first answer", SIGINT), ("transition, 256 at once", SIGTERM),
      ("transition, streamed", SIGHUP), ("one at a time", SIGINT),
    ]
  )
  func interrupted(step: String, signal: Int32) throws {
    let process = try SidecarProcess(.init(bench(["--duration", "15s", "--json"])))
    try process.awaitError(containing: step)
    process.signal(signal)
    #expect(try process.exit() == .code(128 + signal))
    #expect(try process.outputText() == "")
    let errors = try process.errorText()
    #expect(errors.hasSuffix("\nrenderstate: stopped; nothing is left running or lying about\n"))
    try folder.expectNothingLeft()
  }

  @Test("a table that nobody reads any more ends it, and leaves nothing")
  func unread() throws {
    var launch = SidecarProcess.Launch(bench(["--duration", "20s"]))
    launch.output = .broken
    #expect(try SidecarProcess(launch).exit() == .code(128 + SIGPIPE))
    try folder.expectNothingLeft()
  }

  @Test("the table finds room in 60 columns, whatever the figures are")
  func narrowTable() {
    let slow = BenchFigures(
      count: 1,
      perSecond: 999_999,
      latency: .init([999_499, 99_950_000, 999_499_000])
    )
    let fast = BenchFigures(count: 1, perSecond: 0.004, latency: .init([1, 999, 59_000_000_000]))
    for figures in [slow, fast] {
      let results = BenchResults(
        figures: Dictionary(uniqueKeysWithValues: BenchMeasure.allCases.map { ($0, figures) }),
        residentBytesAtRest: 123_456_789,
        residentBytesAfterLoad: 987_654_321,
        requestsOfLoad: 12_345_678
      )
      let lines = results.lines(width: 60, Paint(isOn: false))
      #expect(lines.allSatisfy { $0.count <= 60 }, "\(lines)")
    }
  }

  @Test("percentiles are times that were measured, the largest for the last of them")
  func percentiles() {
    let latency = BenchFigures.Latency((1...100).reversed().map { $0 * 1_000 })
    #expect(latency.p50 == 50 && latency.p99 == 99 && latency.max == 100)
    let single = BenchFigures.Latency([7_000])
    #expect(single.p50 == 7 && single.p99 == 7 && single.max == 7)
  }

  // MARK: - A bench in the test's folder

  private func bench(_ arguments: [String]) -> [String] {
    ["bench", "--database", folder.database] + arguments
  }

  /// The processes that any thread of this one has started (proc(5)).
  private static func children(of process: pid_t) throws -> [pid_t] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").flatMap { thread in
      let path = "/proc/\(process)/task/\(thread)/children"
      let text = try? String(contentsOfFile: path, encoding: .utf8)
      return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
    }
  }
}

extension JSON {
  fileprivate var keys: [String] {
    guard case .object(let object) = self else { return [] }
    return object.members.map(\.key)
  }
}
