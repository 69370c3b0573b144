import Foundation
import Glibc
import JSON
import RenderStore
import Support
import Testing

@testable import renderstate

@Suite("Commands that read")
struct ReadingCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let commands = [
    ["status", "intro"], ["list"], ["history", "intro"], ["stats"],
  ]

  private func run(
    _ arguments: [String],
    environment: [String: String] = [:]
  ) throws -> SidecarProcess.Outcome {
    let database = ["--database", folder.database]
    return try SidecarProcess.run(arguments + database, environment: environment)
  }

  private var files: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
  }

  // MARK: - The database

  @Test("a database that is not there is a line on stderr and code 1, and none is made")
  func missingDatabase() throws {
    for command in Self.commands + [["metrics"]] {
      for json in [[], ["--json"]] {
        let outcome = try run(command + json)
        #expect(outcome.exit == .code(1))
        #expect(outcome.output == "")
        #expect(
          outcome.errors == """
            renderstate: there is no database \(folder.database); name the one that is meant with \
            --database\n
            """
        )
      }
      let url = "postgres://user:secret@host/renders"
      let outcome = try SidecarProcess.run(command + ["--database", url])
      #expect(outcome.exit == .code(1))
      #expect(outcome.errors.contains("no PostgreSQL store"))
      #expect(!outcome.errors.contains("secret"))
    }
    #expect(try files == [])
  }

  @Test("--database wins over RENDERSTATE_DATABASE, which wins over renderstate.sqlite")
  func whichDatabase() throws {
    for name in ["renderstate.sqlite", "environment.sqlite", "flag.sqlite"] {
      let sidecar = try SidecarProcess(serving: folder.path(name))
      _ = try sidecar.transition(name, "start")
      #expect(try sidecar.stop() == .code(0))
    }
    func listed(_ arguments: [String], _ environment: [String: String]) throws -> String? {
      let outcome = try SidecarProcess.run(
        ["list", "--json"] + arguments,
        folder: folder.url.path,
        environment: environment
      )
      return try JSON(reading: outcome.output)["id"]?.text
    }
    let environment = ["RENDERSTATE_DATABASE": "environment.sqlite"]
    #expect(try listed([], [:]) == "renderstate.sqlite")
    #expect(try listed([], environment) == "environment.sqlite")
    #expect(try listed(["--database", "./flag.sqlite"], environment) == "flag.sqlite")
  }

  @Test("a damaged database is a line on stderr and code 1")
  func damaged() throws {
    _ = try OperatedStore(at: folder.database)
    let file = try #require(FileHandle(forUpdatingAtPath: folder.database))
    try file.seek(toOffset: 8_192)
    try file.write(contentsOf: Data(repeating: 0xFF, count: 30_000))
    try file.close()
    for command in Self.commands + [["metrics"]] {
      let outcome = try run(command)
      #expect(outcome.exit == .code(1))
      #expect(outcome.errors.hasPrefix("renderstate: "))
      #expect(outcome.errors.split(separator: "\n").count == 1)
      #expect(outcome.errors.contains("malformed") || outcome.errors.contains("damaged"))
    }
  }

  @Test("they see what sidecars at work have committed, and change nothing")
  func besideSidecars() throws {
    let sidecars = try (0..<2).map { _ in try SidecarProcess(serving: folder.database) }
    _ = try sidecars[0].transition("intro", "start")
    _ = try sidecars[1].transition("intro", "progress", #","context":{"progress":30}"#)
    for command in Self.commands {
      let outcome = try run(command + ["--json"])
      let first = try #require(outcome.output.split(separator: "\n").first)
      let json = try JSON(reading: String(first))
      switch command[0] {
      case "history": #expect(json["state"]?.text == "queued" && json["version"]?.whole == 1)
      case "stats": #expect(json["renders", "rendering"]?.whole == 1)
      default: #expect(json["state"]?.text == "rendering" && json["version"]?.whole == 2)
      }
      #expect(outcome.errors == "")
    }
    #expect(try sidecars[0].transition("intro", "progress").integer("result", "seq") == 3)
    for sidecar in sidecars { #expect(try sidecar.stop() == .code(0)) }
    #expect(try files == ["store.sqlite", "store.sqlite.lock"])
  }

  // MARK: - Answers

  @Test(
    "an id that was never started is an idle render for programs, a line for people, and code 2"
  )
  func unknownID() throws {
    _ = try OperatedStore(at: folder.database)
    let forPeople = try run(["status", "never\n"])
    #expect(forPeople.exit == .code(2))
    #expect(forPeople.output == "")
    #expect(forPeople.errors == "renderstate: never␊ was never started\n")
    let json = try run(["status", "never", "--json"])
    #expect(json.exit == .code(2))
    #expect(try JSON(reading: json.output)["state"]?.text == "idle")
    #expect(json.errors == "")
    let history = try run(["history", "never"])
    #expect(history.exit == .code(2) && history.output == "")
    #expect(history.errors == "renderstate: never was never started\n")
    let historyInJSON = try run(["history", "never", "--json"])
    #expect(historyInJSON.exit == .code(2) && historyInJSON.output + historyInJSON.errors == "")
    let both = try run(["status", "never", "intro"])
    #expect(both.exit == .code(2))
    #expect(both.output.hasPrefix("intro\n"))
  }

  @Test("--stuck finds what has had no event for so long, and --state what is in one of the states")
  func selecting() throws {
    _ = try OperatedStore(at: folder.database)
    func ids(_ arguments: [String]) throws -> [String?] {
      let outcome = try run(["list", "--json"] + arguments)
      #expect(outcome.exit == .code(0))
      return try outcome.output.split(separator: "\n").map {
        try JSON(reading: String($0))["id"]?.text
      }
    }
    #expect(try ids(["--stuck", "0"]) == ["teaser 🎬", "intro"])
    #expect(try ids(["--stuck", "1m", "--limit", "1"]) == ["teaser 🎬"])
    #expect(try ids(["--stuck", "1m", "--state", "rendering"]) == ["intro"])
    #expect(try ids(["--stuck", "8784h"]) == [])
    #expect(try ids(["--state", "failed", "--state", "completed"]) == ["credits", "trailer"])
  }

  // MARK: - Where it goes

  @Test("a pipe that nobody reads ends it quietly, with code 141", arguments: ["--json", "--utc"])
  func brokenPipe(form: String) throws {
    _ = try OperatedStore(at: folder.database)
    for command in Self.commands {
      var launch = SidecarProcess.Launch(command + [form, "--database", folder.database])
      launch.output = .broken
      let process = try SidecarProcess(launch)
      #expect(try process.exit() == .code(141))
      #expect(try process.errorText() == "")
    }
  }

  @Test("what is meant for a closed stdout or stderr is dropped, and never lands in the database")
  func closedStreams() throws {
    let database = try OperatedStore(at: folder.database)
    let before = try database.use { try $0.changes(after: 0, limit: 100).count }
    for command in Self.commands + [["metrics"], ["status", "never"]] {
      var launch = SidecarProcess.Launch(command + ["--database", folder.database])
      launch.input = .closed
      launch.output = .closed
      launch.errors = .closed
      let exit = try SidecarProcess(launch).exit()
      #expect(exit == .code(command.last == "never" ? 2 : 0))
    }
    #expect(try SidecarProcess.sqlite3(folder.database, "PRAGMA integrity_check") == "ok\n")
    #expect(try database.use { try $0.changes(after: 0, limit: 100).count } == before)
  }

  @Test("colours are for terminals, unless NO_COLOR is set or TERM is dumb")
  func colours() throws {
    _ = try OperatedStore(at: folder.database)
    for command in Self.commands {
      let plain = try run(command)
      #expect(!plain.output.contains("\u{1B}"))
      let line = ([SidecarProcess.binary] + command + ["--database", folder.database])
        .map { "'\($0)'" }.joined(separator: " ")
      for (environment, isColoured) in [
        (["TERM": "xterm", "NO_COLOR": ""], true), (["TERM": "xterm", "NO_COLOR": "1"], false),
        (["TERM": "dumb", "NO_COLOR": ""], false),
      ] {
        // script(1) runs it on a terminal.
        let outcome = try SidecarProcess.run(
          ["-qec", line, "/dev/null"],
          program: "script",
          environment: environment
        )
        #expect(outcome.exit == .code(0))
        #expect(outcome.output.contains("\u{1B}[2m") == isColoured, "\(command) \(environment)")
      }
    }
  }
}
