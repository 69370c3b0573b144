import Foundation
import JSON
import Support
import Testing

@Suite("The log on stderr")
struct LogTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  /// What the sidecar logs while it refuses requests that hold a secret everywhere.
  private func linesOfRefusals(_ arguments: [String]) throws -> [String] {
    let sidecar = try SidecarProcess(serving: folder.database, arguments)
    _ = try sidecar.transition("a", "start")
    let context = #"{"videoUrl":"https://v.example/?token=secret","metadata":{"secret":"secret"}}"#
    let refused = [
      ("transition", #"{"id":"a","event":"complete","context":\#(context)}"#),
      ("transition", #"{"id":"a","event":"progress","context":\#(context)}"#),
      ("transition", #"{"id":"a","event":"secret"}"#),
      ("unsubscribe", #"{"subscription":"secret"}"#),
      ("secrets", "{}"),
    ]
    for (method, params) in refused {
      #expect(try sidecar.call(method, params).errorCode != nil)
    }
    try sidecar.send("secret")
    #expect(try sidecar.stop() == .code(0))
    return try sidecar.errorText().split(separator: "\n").map(String.init)
  }

  @Test("a refused request is not worth a line, unless debug is asked for")
  func silence() throws {
    #expect(try linesOfRefusals([]).isEmpty)
  }

  @Test("from debug on each refused request has a line, with nothing of what was sent")
  func refusals() throws {
    let lines = try linesOfRefusals(["--log-level", "debug"])
    #expect(
      lines == [
        "renderstate: debug: transition was refused code=-32001 kind=invalidTransition",
        "renderstate: debug: transition was refused code=-32602 kind=invalidParams",
        "renderstate: debug: transition was refused code=-32602 kind=invalidParams",
        "renderstate: debug: unsubscribe was refused code=-32006 kind=unknownSubscription",
        "renderstate: debug: secrets was refused code=-32601 kind=methodNotFound",
        "renderstate: debug: a line was refused code=-32700 kind=parseError",
      ]
    )
  }

  @Test("as JSON a line is an object, with the time, the level, the message and the kind")
  func objects() throws {
    let lines = try linesOfRefusals(["--log-level", "debug", "--log-format", "json"])
    let objects = try lines.map { try JSON(reading: $0) }
    #expect(objects.map { $0["level"]?.string } == Array(repeating: "debug", count: 6))
    #expect(objects.first?["message"]?.string == "transition was refused")
    #expect(objects.first?["kind"]?.string == "invalidTransition")
    #expect(objects.first?["code"]?.string == "-32001")
    #expect(objects.allSatisfy { $0["time"]?.string?.hasSuffix("Z") == true })
  }

  @Test("as JSON a line stays whole, however much of it would have to be escaped")
  func longObjects() throws {
    let sidecar = try SidecarProcess(serving: folder.database, ["--log-format", "json"])
    let name = String(repeating: #"\u0001"#, count: 5_000)
    try sidecar.send(id: nil, "transition", #"{"id":"a","event":"start","\#(name)":1}"#)
    #expect(try sidecar.stop() == .code(0))
    let line = try JSON(reading: try sidecar.errorText())
    #expect(line["level"]?.string == "notice")
    #expect(line["message"]?.string?.hasPrefix("the notification transition was refused") == true)
  }

  @Test("why the database cannot be opened is a line of the asked form")
  func failure() throws {
    let arguments = ["serve", "--database", folder.url.path]
    let text = try SidecarProcess.run(arguments, folder: folder.url.path)
    #expect(text.exit == .code(1))
    #expect(text.errors.hasPrefix("renderstate: "))
    let json = try SidecarProcess.run(
      arguments + ["--log-format", "json"],
      folder: folder.url.path
    )
    #expect(json.exit == .code(1))
    let line = try JSON(reading: json.errors)
    #expect(line["level"]?.string == "critical")
    #expect("renderstate: \(line["message"]?.string ?? "")\n" == text.errors)
  }
}
