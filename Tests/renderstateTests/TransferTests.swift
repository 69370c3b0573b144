import Foundation
import JSON
import RenderModel
import RenderStore
import Support
import Testing

@testable import renderstate

@Suite("renderstate export and import")
struct TransferTests {
  private let folder: UpkeepFolder

  init() throws {
    folder = try UpkeepFolder()
  }

  private func exported(_ database: String? = nil) throws -> String {
    let path = database ?? folder.database
    let outcome = try SidecarProcess.run(["export", "--database", path])
    #expect(outcome.exit == .code(0) && outcome.errors == "", "\(outcome.errors)")
    return outcome.output
  }

  private func load(
    _ text: String,
    into name: String,
    _ arguments: String...
  ) throws -> SidecarProcess.Outcome {
    let process = try SidecarProcess(
      SidecarProcess.Launch(["import", "--database", folder.path(name)] + arguments)
    )
    // It may have seen enough before all of it is written.
    try? process.send(bytes: Array(text.utf8))
    let exit = try process.stop()
    return SidecarProcess.Outcome(
      exit: exit,
      output: try process.outputText(),
      errors: try process.errorText()
    )
  }

  /// A database with all that there may be in one.
  private func makeDatabase() throws {
    _ = try OperatedStore(at: folder.database)
    let sidecar = try SidecarProcess(serving: folder.database)
    for line in [
      #"{"id":"é \ud83c\udfac","event":"start","idempotencyKey":"k\u0022","timeouts":{"stallMs":5000000}}"#,
      #"{"id":"é \ud83c\udfac","event":"progress","context":{"progress":33.3333333333333336,"#
        + #""metadata":{"n":9007199254740993,"x":1.5e300,"s":"\u0000\n","l":[null,true,{}]}}}"#,
    ] {
      #expect(try sidecar.call("transition", line).errorCode == nil)
    }
    _ = try sidecar.call("regenerate", #"{"id":"trailer"}"#)
    for name in ["live", "released"] {
      let lease = #"{"name":"\#(name)","holder":"h","ttlMs":60000}"#
      #expect(try sidecar.call("acquireLease", lease).bool("result", "acquired") == true)
    }
    _ = try sidecar.call("releaseLease", #"{"name":"released","holder":"h"}"#)
    #expect(try sidecar.stop() == .code(0))
    try SidecarProcess.sqlite3(
      folder.database,
      """
      UPDATE renders SET state = 'queued', event = 'start', error = NULL, attempt = attempt + 1,
        version = version + 1 WHERE id = 'credits'
      """
    )
  }

  @Test("what was imported is what was exported: the same rows, sound, and served on")
  func roundTrip() throws {
    try makeDatabase()
    let text = try exported()
    let outcome = try load(text, into: "new.sqlite", "--json")
    #expect(outcome.exit == .code(0), "\(outcome.errors)")
    let json = try JSON(reading: outcome.output)
    #expect(json["renders"]?.whole == 5 && json["seq"]?.whole == 16)
    #expect(try exported(folder.path("new.sqlite")) == text)
    let told = try load(text, into: "told.sqlite").output
    #expect(told.contains(#/told.sqlite: 5 renders up to seq 16, [0-9.]+ KiB/#), "\(told)")
    #expect(try folder.mode(folder.path("new.sqlite")) == 0o600)
    for table in ["renders", "transitions", "render_ids", "leases"] {
      let rows = "SELECT * FROM \(table)"
      let own = try SidecarProcess.sqlite3(folder.database, rows)
      #expect(try SidecarProcess.sqlite3(folder.path("new.sqlite"), rows) == own)
    }
    let examined = try SidecarProcess.run(
      ["doctor", "--json", "--database", folder.path("new.sqlite")]
    )
    for line in examined.output.split(separator: "\n") where !line.contains(#""check":"renders""#) {
      #expect(!line.contains(#""level":"problem""#), "\(line)")
    }
    let sidecar = try SidecarProcess(serving: folder.path("new.sqlite"))
    let next = try sidecar.transition("teaser 🎬", "progress")
    #expect(next.integer("result", "seq") == 17)
    let key = #","idempotencyKey":"k\u0022""#
    #expect(try sidecar.transition("é 🎬", "start", key).bool("result", "replayed") == true)
    let lease = #"{"name":"released","holder":"other","ttlMs":1000}"#
    #expect(try sidecar.call("acquireLease", lease).integer("result", "token") == 2)
  }

  @Test("an export is of one moment, however slowly it is read, and leaves no file behind")
  func slowReader() throws {
    try folder.fill(2_000)
    var launch = SidecarProcess.Launch(["export", "--database", folder.database])
    launch.isReading = false
    let export = try SidecarProcess(launch)
    let sidecar = try SidecarProcess(serving: folder.database)
    // It fills its pipe and waits; what it has to tell from there on is in no file with a name.
    while try export.peakMemory() == 0 || !hasCopied(export) { usleep(10_000) }
    #expect(try sidecar.transition("late", "start").errorCode == nil)
    #expect(try sidecar.stop() == .code(0))
    // Nobody holds the log: the sidecar that closes last has moved all of it.
    #expect(try folder.files == ["store.sqlite", "store.sqlite.lock"])
    export.resumeReading()
    #expect(try export.exit() == .code(0))
    let text = try export.outputText()
    #expect(text.hasPrefix(#"{"store":{"format":1,"#) && text.contains(#""seq":6000,"#))
    #expect(!text.contains("late") && text.contains(#"{"end":{"lines":"#))
  }

  /// Whether its copy has no name any more, and it holds no other file of the database.
  private func hasCopied(_ export: SidecarProcess) -> Bool {
    let folder = "/proc/\(export.identifier)/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let targets = names.compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
    }
    return targets.contains { $0.hasSuffix("partial (deleted)") }
      && !targets.contains { $0.hasSuffix("store.sqlite") }
  }

  @Test("an export that was cut off or edited is refused, with the line, and nothing is made")
  func brokenExports() throws {
    try makeDatabase()
    let text = try exported()
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    for count in [0, 1, 2, 5, lines.count - 2] {
      let cut = lines.prefix(count).map { $0 + "\n" }.joined()
      let outcome = try load(cut, into: "new.sqlite")
      #expect(outcome.exit == .code(1) && outcome.output == "")
      #expect(outcome.errors.contains(count == 0 ? "no export to read" : "is cut off"))
    }
    let withoutLine = (lines[..<7] + lines[8...]).joined(separator: "\n")
    for (edited, words) in [
      (text.replacing(#""version":2"#, with: #""version":9"#), "the log does not lead to"),
      (
        text.replacing(#""state":"queued""#, with: #""state":"waiting""#), "the database refuses it"
      ),
      (text.replacing(#""progress":41.25"#, with: #""progress":"x""#), "cannot be taken"),
      (text.replacing(#""actor":"#, with: #""agent":"#), "has no column agent"),
      (text.replacing(#"{"leases":"#, with: #"{"lessees":"#), "there is no table lessees"),
      (text.replacing(#""format":1"#, with: #""format":2"#), "newer renderstate"),
      (text.replacing(#"{"store":"#, with: #"{"shop":"#), "begins with the line of its store"),
      (text + #"{"leases":{}}"# + "\n", "behind the end"),
      (text.replacing("}}\n", with: "}\n"), "line 1 cannot be taken: it is no JSON"),
      ("[]\n" + text, "line 1 cannot be taken: it is no object"),
      (withoutLine, "another number of lines"),
      (text.replacing(#""seq":16,"renders":5"#, with: #""seq":16,"renders":6"#), "there should be"),
      (text.replacing(#""metadata":{}"#, with: #""metadata":"{}""#), "metadata is an object"),
    ] {
      let outcome = try load(edited, into: "new.sqlite")
      #expect(outcome.exit == .code(1) && outcome.output == "", "\(words)")
      #expect(
        outcome.errors.contains(words) && outcome.errors.split(separator: "\n").count == 1,
        "\(words): \(outcome.errors)"
      )
    }
    #expect(try folder.files.allSatisfy { $0.hasPrefix("store.sqlite") })
  }

  @Test("nothing is imported into what is there already, or where there is no folder")
  func refusals() throws {
    _ = try OperatedStore(at: folder.database)
    let text = try exported()
    try Data().write(to: URL(filePath: folder.path("empty")))
    for (name, words) in [
      ("store.sqlite", "is there already"), ("empty", "is there already"),
      ("no/new.sqlite", "does not exist"), (".", "cannot be replaced"),
    ] {
      let outcome = try load(text, into: name)
      #expect(outcome.exit == .code(1))
      #expect(outcome.errors.contains(words), "\(name): \(outcome.errors)")
    }
    #expect(try folder.head(folder.database) == "11\n")
  }

  @Test("a reader that goes away ends an export with code 141, and it leaves no file behind")
  func brokenPipe() throws {
    try folder.fill(500)
    var launch = SidecarProcess.Launch(["export", "--database", folder.database])
    launch.output = .broken
    let process = try SidecarProcess(launch)
    #expect(try process.exit() == .code(141))
    #expect(try process.errorText() == "")
    #expect(try !folder.files.contains { $0.contains("export") })
  }

  @Test("a database that is not there is not made; one of an older version is refused")
  func unusable() throws {
    try folder.expectRefusal("export", saying: "there is no database")
    #expect(try folder.files == [])
    let schema = try Repository.text("Tests/RenderStoreTests/Schema1.sql")
    let head = "PRAGMA application_id = 0x72737461; PRAGMA user_version = 1;"
    try SidecarProcess.sqlite3(folder.database, schema + head)
    try folder.expectRefusal("export", saying: "of an older renderstate")
  }

  @Test("an import that is stopped or has no room leaves nothing")
  func endedImport() throws {
    try folder.fill(1_000)
    let text = try exported()
    let waiting = try SidecarProcess(
      SidecarProcess.Launch(["import", "--database", folder.path("new.sqlite")])
    )
    try waiting.send(bytes: Array(text.utf8.prefix(100_000)))
    waiting.signal(SIGINT)
    #expect(try waiting.exit() == .code(130))
    var launch = SidecarProcess.Launch(["import", "--database", folder.path("new.sqlite")])
    launch.wrapper = ["prlimit", "--fsize=100000"]
    let limited = try SidecarProcess(launch)
    try? limited.send(bytes: Array(text.utf8))
    #expect(try limited.stop() == .code(1))
    #expect(try folder.files.allSatisfy { $0.hasPrefix("store.sqlite") })
  }
}
