import Foundation
import Glibc
import JSON
import RenderModel
import RenderStore
import Support
import Testing

@testable import renderstate

@Suite("renderstate watch")
struct WatchTests {
  private let folder: TemporaryFolder
  private let sidecar: SidecarProcess

  init() throws {
    folder = try TemporaryFolder()
    sidecar = try SidecarProcess(serving: folder.database)
    for event in ["start", "progress"] { _ = try sidecar.transition("intro", event) }
  }

  private func watch(_ arguments: String...) throws -> SidecarProcess {
    try SidecarProcess(.init(["watch", "--database", folder.database] + arguments))
  }

  /// What a line of JSON says: the id, its state, and the actor of a change.
  private func told(_ watch: SidecarProcess) throws -> String? {
    guard let line = try watch.receiveIfAny() else { return nil }
    let words = [line.string("id"), line.string("state"), line.string("actor")]
    return words.compactMap { $0 }.joined(separator: " ")
  }

  @Test("it begins with the named renders as they are, and tells every change of any process")
  func named() throws {
    let watch = try watch("--json", "intro", "new")
    #expect(try told(watch) == "intro rendering")
    #expect(try told(watch) == "new idle")
    _ = try sidecar.transition("other", "start")
    _ = try sidecar.transition("new", "start", #","actor":"host""#)
    #expect(try told(watch) == "new queued host")
    let send = ["send", "intro", "complete", "--database", folder.database]
    let environment = ["SUDO_USER": "ada"]
    #expect(try SidecarProcess.run(send, environment: environment).exit == .code(0))
    #expect(try told(watch) == "intro completed cli:ada")
    let sql = "UPDATE renders SET state='failed', event='fail', error='e', version=2 WHERE id='new'"
    try SidecarProcess.sqlite3(folder.database, sql)
    #expect(try told(watch) == "new failed sql")
  }

  @Test("without a name it begins with the active renders, the longest without an event first")
  func all() throws {
    for id in ["trailer", "credits"] { _ = try sidecar.transition(id, "start") }
    _ = try sidecar.transition("trailer", "fail")
    let watch = try watch("--json")
    #expect(try told(watch) == "intro rendering")
    #expect(try told(watch) == "credits queued")
    for number in 0..<1_200 { try sidecar.send(id: nil, "transition", Self.start(number)) }
    for number in 0..<1_200 { #expect(try told(watch) == "video \(number) queued") }
  }

  private static func start(_ number: Int) -> String {
    #"{"id":"video \#(number)","event":"start"}"#
  }

  @Test("--state tells of changes to these states only")
  func states() throws {
    _ = try sidecar.transition("credits", "start")
    let watch = try watch("--json", "--state", "rendering", "--state", "failed")
    #expect(try told(watch) == "intro rendering")
    _ = try sidecar.transition("intro", "complete")
    _ = try sidecar.transition("trailer", "start")
    _ = try sidecar.transition("trailer", "fail")
    #expect(try told(watch) == "trailer failed")
  }

  // MARK: - The end

  @Test("--until-terminal ends it when all are terminal at the same time; code 2 if one has failed")
  func untilTerminal() throws {
    for (last, code) in [("complete", Int32(0)), ("fail", 2)] {
      let ids = ["a \(last)", "b \(last)"]
      let watch = try watch("--json", "--until-terminal", ids[0], ids[1])
      #expect(try told(watch) == "\(ids[0]) idle" && told(watch) == "\(ids[1]) idle")
      for (id, event) in [
        (0, "start"), (0, "fail"), (1, "start"), (0, "start"), (1, "progress"), (1, "complete"),
        (0, "progress"), (0, last), (1, "start"),
      ] {
        _ = try sidecar.transition(ids[id], event)
      }
      #expect(try watch.exit() == .code(code))
      let states = try watch.receiveRest().map { $0.string("state") }
      #expect(states.count == 8 && states.last == (last == "fail" ? "failed" : "completed"))
      let again = try SidecarProcess.run(
        ["watch", "--until-terminal", ids[0], "--database", folder.database]
      )
      #expect(again.exit == .code(code))
      #expect(again.output.split(separator: "\n").count == 1)
    }
  }

  @Test(
    "a signal ends it without a word, its last line whole",
    arguments: [SIGINT, SIGTERM, SIGHUP]
  )
  func signalled(signal: Int32) throws {
    let watch = try watch("intro")
    _ = try watch.receive()
    watch.signal(signal)
    #expect(try watch.exit() == .code(128 + signal))
    #expect(try watch.errorText() == "")
    #expect(try watch.outputText().hasSuffix("\n"))
  }

  @Test(
    "it ends when nobody reads any more, though nothing happens",
    arguments: ["--json", "--utc"]
  )
  func unread(form: String) throws {
    let watch = try watch(form)
    _ = try watch.receive()
    watch.closeOutput()
    #expect(try watch.exit() == .code(141))
    #expect(try watch.errorText() == "")
  }

  @Test("a database that is not there is a line on stderr, code 1, and is not made")
  func missingDatabase() throws {
    let path = folder.path("missing.sqlite")
    let outcome = try SidecarProcess.run(["watch", "--database", path])
    #expect(outcome.exit == .code(1))
    #expect(outcome.output == "")
    #expect(outcome.errors.contains("there is no database"))
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  // MARK: - For people

  @Test("each change is a line, with the time of day or the date")
  func lines() throws {
    let database = try OperatedStore(at: folder.path("operated.sqlite"))
    let changes = try database.use { try $0.changes(after: 0, limit: 100) }
    for (hasDate, name) in [(false, "watch.txt"), (true, "watch-utc.txt")] {
      let form = WatchLine.Form(paint: Paint(isOn: false), hasDate: hasDate, idWidth: 9)
      let lines = changes.map { WatchLine($0).text(form) + "\n" }
      try Golden.expect(lines.joined(), in: "Output/\(name)")
      for change in changes { #expect(WatchLine(change).text(form, width: 57).columns <= 57) }
    }
  }

  @Test("a bar is never longer than the terminal is wide", arguments: [57, 58, 79, 120])
  func bars(width: Int) {
    for id in ["a", "映画館", String(repeating: "long", count: 9)] {
      for note in ["", "cli:ada", String(repeating: "映画", count: 80)] {
        for idWidth in [5, 32] {
          let bar = WatchBar(id: id, state: .rendering, progress: 33, note: note)
          let line = bar.line(width, idWidth: idWidth, Paint(isOn: false))
          #expect(line.text.columns == line.width && line.width <= width)
          #expect(line.text.contains(" 33 %  rendering"))
        }
      }
    }
  }

  @Test("on a terminal there are bars, changes of state run by, and Ctrl-C gives the cursor back")
  func terminal() throws {
    let command = "'\(SidecarProcess.binary)' watch --database '\(folder.database)'"
    var launch = SidecarProcess.Launch(["-qefc", command, "/dev/null"])
    launch.program = "script"
    launch.environment = ["TERM": "xterm", "NO_COLOR": ""]
    let watch = try SidecarProcess(launch)
    func line(containing text: String) throws -> String {
      while true {
        let line = try watch.receive().text
        if line.contains(text) { return line }
      }
    }
    #expect(try line(containing: "intro").contains("─"))
    _ = try sidecar.transition("intro", "progress", #","context":{"progress":50}"#)
    #expect(try line(containing: " 50 %").contains("━"))
    _ = try sidecar.transition("intro", "complete")
    #expect(try line(containing: "rendering → completed").contains("intro"))
    #expect(try line(containing: "no active renders").contains("Ctrl-C"))
    try watch.send(bytes: [3])
    #expect(try watch.exit() == .code(130))
    #expect(try watch.outputText().hasSuffix("\u{1B}[?25h"))
  }
}
