import Foundation
import JSON
import RenderModel
import Support
import Testing

@testable import renderstate

@Suite("renderstate diagram")
struct DiagramTests {
  private func diagram(_ format: String) throws -> String {
    let outcome = try SidecarProcess.run(["diagram", "--format", format])
    #expect(outcome.exit == .code(0) && outcome.errors == "")
    return outcome.output
  }

  @Test("each format is the committed text (re-made with RENDERSTATE_REGENERATE=1)")
  func formats() throws {
    for format in DiagramFormat.allCases {
      try Golden.expect(diagram(format.rawValue), in: "Output/diagram.\(format)")
    }
    #expect(try SidecarProcess.run(["diagram"]).output == diagram("mermaid"))
    #expect(try diagram("ascii").utf8.allSatisfy { $0 < 0x80 })
  }

  @Test("the README's picture is made by it (re-made with RENDERSTATE_REGENERATE=1)")
  func readme() throws {
    let readme = try Repository.text("README.md")
    let block = /```mermaid\n(.*?)```/.dotMatchesNewlines()
    let match = try #require(readme.firstMatch(of: block))
    let picture = try diagram("mermaid")
    if ProcessInfo.processInfo.environment["RENDERSTATE_REGENERATE"] == "1" {
      let remade = readme.replacing(block, with: "```mermaid\n\(picture)```")
      let file = Repository.root.appending(path: "README.md")
      return try remade.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(String(match.1) == picture)
  }

  @Test("a row of the table is in every format, and no other is")
  func rows() throws {
    let table = Set(Machine.table.map { "\($0.from) \($0.event) \($0.to)" })
    let arrows: [(format: String, arrow: Regex<(Substring, Substring, Substring, Substring)>)] = [
      ("mermaid", /(\w+) --> (\w+): (.+)/), ("dot", /(\w+) -> (\w+) \[label="(.+)"\]/),
    ]
    for (format, arrow) in arrows {
      let rows = try diagram(format).matches(of: arrow).flatMap { match in
        match.3.split(separator: ", ").map { "\(match.1) \($0) \(match.2)" }
      }
      #expect(rows.count == table.count && Set(rows) == table, "\(format)")
    }
    var rows: [String] = []
    var from = ""
    for line in try diagram("ascii").split(separator: "\n") {
      if let match = line.wholeMatch(of: /\s+(.+) -+> (\w+)/) {
        rows += match.1.split(separator: ", ").map { "\(from) \($0) \(match.2)" }
      } else {
        from = String(line.prefix { $0 != " " })
      }
    }
    #expect(rows.count == table.count && Set(rows) == table)
  }

  @Test("the SCXML is XML with the rows of the table")
  func scxml() throws {
    let folder = try TemporaryFolder()
    try diagram("scxml").write(toFile: folder.path("machine"), atomically: true, encoding: .utf8)
    let reader = """
      import sys, xml.etree.ElementTree
      name = lambda element: element.tag.removeprefix("{http://www.w3.org/2005/07/scxml}")
      root = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
      print(name(root), root.get("initial"))
      for state in root:
        print(name(state), state.get("id"))
        for row in state: print(state.get("id"), row.get("event"), row.get("target"))
      """
    let outcome = try SidecarProcess.run(
      ["-c", reader, folder.path("machine")],
      program: "python3"
    )
    let expected = State.allCases.flatMap { state in
      ["\(Machine.events(in: state).isEmpty ? "final" : "state") \(state)"]
        + Machine.table.filter { $0.from == state }.map { "\(state) \($0.event) \($0.to)" }
    }
    #expect(outcome.output == (["scxml idle"] + expected).map { $0 + "\n" }.joined())
  }

  @Test("the XState machine is protocol/state-machine.json without its prose")
  func xstate() throws {
    let file = try JSON(reading: Repository.text("protocol/state-machine.json"))
    guard case .object(var machine) = file else { throw Unexpected("no object") }
    // What tells of regenerate.
    machine.merge(JSONObject(["meta": .null]))
    let text = JSON.object(machine).compactText.replacing(/"description":"[^"]*",/, with: "")
    #expect(try JSON(reading: diagram("xstate")) == JSON(reading: text))
  }
}
