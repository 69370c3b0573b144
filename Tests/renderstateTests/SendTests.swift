import Foundation
import Glibc
import JSON
import RenderModel
import Support
import Testing

@testable import renderstate

@Suite("renderstate send")
struct SendTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func send(
    _ arguments: String...,
    environment: [String: String] = [:]
  ) throws -> SidecarProcess.Outcome {
    try SidecarProcess.run(
      ["send"] + arguments + ["--database", folder.database],
      environment: environment
    )
  }

  @Test(
    "what was done is told in a line, what was refused with the reason and the status on stderr"
  )
  func forPeople() throws {
    _ = try OperatedStore(at: folder.database)
    let lines = [
      try send("teaser 🎬", "progress", "--progress", "12.34", "--render-id", "r-9"),
      try send("trailer", "regenerate", "--idempotency-key", "k"),
      try send("trailer", "regenerate", "--idempotency-key", "k"),
      try send("credits", "start"),
    ]
    for outcome in lines {
      #expect(outcome.exit == .code(0))
      #expect(outcome.errors == "")
    }
    try Golden.expect(lines.map(\.output).joined(), in: "Output/send.txt")
    let refusals = [
      try send("intro", "start", "--utc"),
      try send("intro", "progress", "--render-id", "r-0", "--utc"),
      try send("intro", "complete", "--expected-version", "4", "--utc"),
      try send("never", "complete", "--utc"),
      try send("trailer", "start", "--idempotency-key", "k"),
    ]
    for outcome in refusals {
      #expect(outcome.exit == .code(2))
      #expect(outcome.output == "")
    }
    try Golden.expect(refusals.map(\.errors).joined(separator: "\n"), in: "Output/send-refused.txt")
  }

  @Test("in every state every event is answered as on the wire, errors included")
  func asOnTheWire() throws {
    let paths: [State: [String]] = [
      .idle: [], .queued: ["start"], .rendering: ["start", "progress"],
      .completed: ["start", "progress", "complete"], .failed: ["start", "fail"],
    ]
    let sidecar = try SidecarProcess(serving: folder.database)
    for (state, path) in paths {
      for action in Command.Action.allValueStrings {
        let ids = ["by host", "by command"].map { "\(action) in \(state) \($0)" }
        for id in ids {
          for event in path { _ = try sidecar.transition(id, event) }
        }
        let method = action == "regenerate" ? action : "transition"
        let event = action == "regenerate" ? "" : #","event":"\#(action)""#
        let answer = try sidecar.call(method, #"{"id":"\#(ids[0])"\#(event),"actor":"host"}"#)
        let outcome = try send(ids[1], action, "--json")
        let received = try #require(answer.json)
        let isRefused = received["error"] != nil
        #expect(outcome.exit == .code(isRefused ? 2 : 0))
        #expect(outcome.errors == "")
        let expected = try #require(received["error"] ?? received["result"])
        #expect(comparable(outcome.output) == comparable(expected.compactText + "\n"))
      }
    }
  }

  /// Without what differs between two renders: id, seq and times.
  private func comparable(_ text: String) -> String {
    text.replacing(" by command", with: "").replacing(" by host", with: "")
      .replacing(/"seq":[0-9]+/, with: "").replacing(/"[a-z]+At":"[^"]*"/, with: "")
  }

  @Test("a sidecar's subscriber hears of it at once, and its actor is the user")
  func actor() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    _ = try sidecar.call("subscribe")
    let user = try #require(getpwuid(getuid())).pointee.pw_name
    let name = String(cString: try #require(user))
    for (environment, actor) in [
      (["SUDO_USER": ""], "cli:\(name)"), (["SUDO_USER": "ada"], "cli:ada"),
    ] {
      let id = "by \(actor)"
      #expect(try send(id, "start", environment: environment).exit == .code(0))
      let change = try #require(sidecar.notification().json?["params", "change"])
      #expect(change["id"]?.text == id && change["actor"]?.text == actor)
    }
  }

  @Test("an attempt has the timeouts given, and a sidecar watches over them")
  func timeouts() throws {
    let sidecar = try SidecarProcess(serving: folder.database, ["--total-timeout", "1h"])
    _ = try sidecar.call("subscribe")
    #expect(try send("a", "start", "--queued-timeout", "1ms").exit == .code(0))
    #expect(try sidecar.notification().string("params", "change", "event") == "start")
    let change = try #require(sidecar.notification().json?["params", "change"])
    #expect(change["actor"]?.text == "watchdog")
  }

  @Test(
    "arguments that the contract forbids are wrong usage: the one is named, and nothing changes"
  )
  func wrongArguments() throws {
    _ = try OperatedStore(at: folder.database)
    for (arguments, words) in [
      (["--progress", "101"], "--progress: it must be a number from 0 to 100"),
      (["--video-url", "u"], "--video-url: it goes with the event complete only"),
      (["--metadata", "{"], "--metadata: it must be JSON"),
      (["--queued-timeout", "1"], "--queued-timeout, --stall-timeout, --total-timeout: they go"),
      (
        ["--expected-version", "9007199254740992"], "--expected-version: it must be a whole number"
      ),
    ] {
      let outcome = try SidecarProcess.run(
        ["send", "intro", "progress", "--database", folder.database] + arguments
      )
      #expect(outcome.exit == .code(64))
      #expect(outcome.errors.hasPrefix("Error: \(words)"), "\(outcome.errors)")
    }
    let history = try SidecarProcess.run(["history", "intro", "--database", folder.database])
    #expect(history.output.split(separator: "\n").count == 6)
  }

  @Test("a database that is not there is not made, and a read-only one is refused with code 1")
  func unusableDatabase() throws {
    let missing = try send("a", "start")
    #expect(missing.exit == .code(1))
    #expect(missing.errors.contains("there is no database"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == [])
    _ = try OperatedStore(at: folder.database)
    chmod(folder.database, 0o444)
    let readOnly = try send("a", "start")
    #expect(readOnly.exit == .code(1) && readOnly.output == "")
    #expect(readOnly.errors.contains("is read-only"))
    #expect(readOnly.errors.split(separator: "\n").count == 1)
  }

  @Test("it leaves one file and its lock, where no sidecar runs, and the pipe may be closed")
  func leavesNothing() throws {
    _ = try OperatedStore(at: folder.database)
    var launch = SidecarProcess.Launch(["send", "a", "start", "--database", folder.database])
    launch.output = .broken
    #expect(try SidecarProcess(launch).exit() == .code(141))
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(files.sorted() == ["store.sqlite", "store.sqlite.lock"])
    let status = try SidecarProcess.run(["status", "a", "--json", "--database", folder.database])
    #expect(try JSON(reading: status.output)["version"]?.whole == 1)
  }
}
