import ArgumentParser
import Foundation
import Support
import Testing

@testable import renderstate

@Suite("Arguments")
struct ArgumentTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let wrong: [[String]] = {
    let flags = ["--stall-timeout", "--queued-timeout", "--total-timeout", "--busy-timeout"]
    let durations = [
      "-1", "5x", "1e99", "", "nan", "inf", "∞", "s", ".", "ms", "1.", "0x10", "+5", "1 s", "1d",
      "8785h", "٣", "1,5", "5 ", " 5",
    ]
    let wrongDurations = durations.flatMap { duration in
      [[flags[0], duration], [flags[0] + "=" + duration]]
    }
    let others = [
      ["--queued-timeout", "x"], ["--total-timeout", "x"], ["--busy-timeout", "x"],
      ["--max-line-bytes", "0"], ["--max-line-bytes", "-1"], ["--max-line-bytes", "1k"],
      ["--max-line-bytes", "1073741825"], ["--max-line-bytes", "99999999999999999999"],
      ["--synchronous", "off"], ["--unknown"], ["--database"], ["--database", ""], ["something"],
    ]
    let bench = [
      ["--duration", "99ms"], ["--duration", "61s"], ["--duration", "x"],
      ["--synchronous", "off"], ["--database", ""],
    ]
    let limits = ["0", "-1", "10001", "x", "1.5", ""].map { ["--limit", $0] }
    let operating =
      [
        ["status"], ["status", "a", "--unknown"], ["status", "a", "--database", ""],
        ["list", "a"], ["list", "--state", "done"], ["list", "--state", ""], ["list", "--state"],
        ["list", "--stuck"], ["list", "--stuck", "10m", "--state", "completed"],
        ["list", "--stuck", "10m", "--state", "queued", "--state", "failed"],
      ] + durations.map { ["list", "--stuck", $0] } + limits.map { ["list"] + $0 }
      + limits.map { ["history", "a"] + $0 } + [
        ["history"], ["history", "a", "b"], ["stats", "a"],
      ]
    let progress = ["101", "-1", "nan", "inf", "x", ""].map { ["a", "progress", "--progress", $0] }
    let send =
      progress + durations.map { ["a", "start", "--total-timeout", $0] } + [
        [], ["a"], ["a", "done"], ["", "start"], ["a\n", "start"],
        [String(repeating: "a", count: 201), "start"], ["a", "start", "--progress", "1"],
        ["a", "start", "--video-url", "u"], ["a", "progress", "--video-url", ""],
        ["a", "progress", "--error", "e"], ["a", "progress", "--stall-timeout", "1"],
        ["a", "start", "--metadata", "{"], ["a", "start", "--metadata", "[]"],
        ["a", "start", "--expected-version", "-1"], ["a", "start", "--expected-version", "1.5"],
        ["a", "start", "--expected-version", "9007199254740992"],
        ["a", "start", "--expected-state", "done"], ["a", "start", "--render-id", ""],
        ["a", "regenerate", "--expected-attempt", "1"], ["a", "regenerate", "--progress", "1"],
      ]
    let upkeep = [
      ["backup"], ["backup", ""], ["backup", "a", "b"], ["backup", "a", "--database", ""],
      ["restore"], ["restore", ""], ["restore", "a", "b"], ["restore", "a", "--database", ""],
      ["doctor", "a"], ["doctor", "--full"], ["export", "a"], ["export", "--json"],
      ["import", "a"], ["import", "--database", ""],
    ]
    let watch = [
      ["a", "--state", "failed"], ["--until-terminal"], ["--until-terminal", "--state", "failed"],
      ["--state", "done"], (0...1_000).map { "video \($0)" },
    ]
    let ages =
      durations.filter { !$0.hasSuffix("d") && !$0.hasSuffix("h") } + ["36601d", "d", "-1d"]
    let prune =
      [[], ["--dry-run"], ["a", "--finished-before", "1d"], ["--finished-before"]]
      + ages.map { ["--finished-before", $0] } + ages.map { ["--progress-log-before", $0] }
    return (wrongDurations + others).map { ["serve"] + $0 } + bench.map { ["bench"] + $0 }
      + operating + send.map { ["send"] + $0 } + watch.map { ["watch"] + $0 } + upkeep
      + prune.map { ["prune"] + $0 } + ages.map { ["serve", "--keep-finished", $0] } + [
        ["unknown"], ["--unknown"],
      ]
  }()

  @Test("wrong arguments: exit code 64, a line on stderr, nothing on stdout, nothing made")
  func wrongArguments() throws {
    for arguments in Self.wrong {
      let outcome = try SidecarProcess.run(arguments, folder: folder.url.path)
      #expect(outcome.exit == .code(64), "\(arguments)")
      #expect(outcome.output == "", "\(arguments)")
      #expect(outcome.errors.hasPrefix("Error: "), "\(arguments)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  @Test("durations are a number with ms, s, m or h, or bare seconds, up to 366 days")
  func durations() throws {
    for duration in ["0", "5", "0.5", ".5", "250ms", "90s", "1.5h", "2m", "8784h", "0ms"] {
      let flags = ["--stall-timeout", "--queued-timeout", "--total-timeout", "--busy-timeout"]
      let arguments = flags.flatMap { [$0, duration] }
      let sidecar = try SidecarProcess(serving: folder.database, arguments)
      #expect(try sidecar.call("getStatus", #"{"id":"a"}"#).errorCode == nil, "\(duration)")
      #expect(try sidecar.stop() == .code(0), "\(duration)")
    }
  }
}

@Suite("Help")
struct HelpTests {
  @Test("the help of each command is the committed text (re-made with RENDERSTATE_REGENERATE=1)")
  func help() throws {
    let commands = RenderStateCommand.configuration.subcommands.compactMap {
      $0.configuration.commandName ?? "\($0)".lowercased()
    }
    try expectHelp(["--help"], "renderstate")
    for command in commands { try expectHelp([command, "--help"], command) }
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Help")
    let texts = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(Set(texts) == Set((commands + ["renderstate"]).map { $0 + ".txt" }))
  }

  private func expectHelp(_ arguments: [String], _ name: String) throws {
    let outcome = try SidecarProcess.run(arguments, folder: "/", environment: ["COLUMNS": "80"])
    #expect(outcome.exit == .code(0))
    try Golden.expect(outcome.output, in: "Help/\(name).txt")
  }

  @Test("no arguments print the help")
  func noArguments() throws {
    let outcome = try SidecarProcess.run([])
    #expect(outcome.exit == .code(0))
    #expect(try outcome.output == SidecarProcess.run(["--help"]).output)
  }

  @Test("--version prints the version that initialize tells")
  func version() throws {
    let folder = try TemporaryFolder()
    let outcome = try SidecarProcess.run(["--version"])
    #expect(outcome.exit == .code(0))
    let sidecar = try SidecarProcess(serving: folder.database)
    let told = try sidecar.call("initialize").string("result", "server", "version")
    #expect(told.map { $0 + "\n" } == outcome.output)
  }
}
