import Foundation
import Support
import Testing

@Suite("Standard streams that are not what they should be")
struct StandardStreamTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func expectWhole() throws {
    #expect(try SidecarProcess.sqlite3(folder.database, "PRAGMA integrity_check") == "ok\n")
  }

  @Test(
    "a stderr that nobody reads, or that is closed, never stops the sidecar",
    arguments: [
      SidecarProcess.Launch.Errors.collected, .full, .broken, .closed,
    ]
  )
  func errors(errors: SidecarProcess.Launch.Errors) throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.errors = errors
    let sidecar = try SidecarProcess(launch)
    let long = String(repeating: "x", count: 10_000)
    for _ in 1...50 {
      try sidecar.send(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
      try sidecar.send(id: nil, "transition", #"{"id":"a","event":"start","\#(long)":1}"#)
    }
    #expect(try sidecar.transition("a", "start").errorCode == nil)
    #expect(try sidecar.stop() == .code(0))
    #expect(try sidecar.receiveRest().isEmpty)
    try expectWhole()
  }

  @Test("what a host sends is one line in the log, however long, whatever it holds")
  func oneLine() throws {
    let sidecar = try SidecarProcess(serving: folder.database)
    let long = #"\nforged: line\r"# + String(repeating: "x", count: 10_000)
    try sidecar.send(id: nil, "transition", #"{"id":"a","event":"start","\#(long)":1}"#)
    try sidecar.send(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
    #expect(try sidecar.stop() == .code(0))
    let lines = try sidecar.errorText().split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3)
    #expect(lines.dropLast().filter { !$0.hasPrefix("renderstate: ") }.isEmpty)
    #expect(lines.last == "")
  }

  @Test("a stdin that is closed at the start is one at its end")
  func closedInput() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.input = .closed
    let sidecar = try SidecarProcess(launch)
    #expect(try sidecar.exit() == .code(0))
    #expect(try sidecar.outputText() == "")
    #expect(try sidecar.errorText() == "")
    try expectWhole()
  }

  @Test("a stdout that is closed at the start ends the sidecar with a clear line")
  func closedOutput() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.output = .closed
    let sidecar = try SidecarProcess(launch)
    #expect(try sidecar.exit() == .code(0))
    #expect(try sidecar.errorText().hasPrefix("renderstate: stdout is closed; "))
  }

  @Test("a stdout that nobody reads from the start ends the sidecar")
  func brokenOutput() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.output = .broken
    let sidecar = try SidecarProcess(launch)
    #expect(try sidecar.exit() == .code(0))
    try expectWhole()
  }

  @Test("with all three closed at the start it ends")
  func allClosed() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.input = .closed
    launch.output = .closed
    launch.errors = .closed
    #expect(try SidecarProcess(launch).exit() == .code(0))
  }

  @Test("no file of the database gets the number of a closed standard stream")
  func numbers() throws {
    var launch = SidecarProcess.Launch(serving: folder.database)
    launch.errors = .closed
    let sidecar = try SidecarProcess(launch)
    _ = try sidecar.transition("a", "start")
    for number in 0...2 {
      let link = "/proc/\(sidecar.identifier)/fd/\(number)"
      let target = try FileManager.default.destinationOfSymbolicLink(atPath: link)
      #expect(!target.hasPrefix(folder.url.path))
    }
    #expect(try sidecar.stop() == .code(0))
  }
}
