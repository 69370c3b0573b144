import Foundation
import Glibc
import RenderModel
import Support
import Testing

@testable import renderstate

@Suite("Metrics")
struct MetricsTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    _ = try OperatedStore(at: folder.database)
  }

  private func run(_ arguments: String...) throws -> SidecarProcess.Outcome {
    try SidecarProcess.run(["metrics", "--database", folder.database] + arguments)
  }

  // MARK: - The names

  /// A row of the table in protocol/README.md.
  private struct Documented: Equatable, CustomStringConvertible {
    let name: String
    let type: String
    let labels: [String]
    let help: String

    var description: String { "\(name) \(type) \(labels) \(help)" }
  }

  private func documented() throws -> [Documented] {
    try Repository.text("protocol/README.md").split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|", omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: .whitespaces) }.dropFirst().dropLast().map(\.self)
      guard cells.count == 5, cells[0].hasPrefix("`renderstate_"), cells[3] == "both" else {
        return nil
      }
      func words(_ cell: String) -> [String] {
        cell.split(separator: ", ").map { $0.trimmingCharacters(in: ["`"]) }
      }
      let name = cells[0].trimmingCharacters(in: ["`"])
      return Documented(name: name, type: cells[1], labels: words(cells[2]), help: cells[4])
    }
  }

  @Test("names, types, labels and meanings are those of the documented list")
  func names() throws {
    let lines = try run().output.split(separator: "\n")
    var found: [Documented] = []
    for (index, line) in lines.enumerated() where line.hasPrefix("# HELP ") {
      let help = line.split(separator: " ", maxSplits: 3)
      let type = lines[index + 1].split(separator: " ")
      #expect(type[1] == "TYPE" && type[2] == help[2])
      let samples = lines[(index + 2)...].prefix { !$0.hasPrefix("#") }
      let labels = samples.first?.matches(of: /([a-z]+)="/).map { String($0.1) } ?? []
      found.append(
        Documented(
          name: String(help[2]),
          type: String(type[3]),
          labels: labels.filter { $0 != "le" },
          help: String(help[3])
        )
      )
    }
    #expect(try found == documented())
    #expect(found.count == 8)
  }

  @Test("names end with their unit, and counters with total")
  func conventions() throws {
    for metric in try documented() {
      let suffixes = ["_seconds", "_bytes", "_info", "_total", "renderstate_renders"]
      #expect(suffixes.contains { metric.name.hasSuffix($0) }, "\(metric)")
      #expect((metric.type == "counter") == metric.name.hasSuffix("_total"))
    }
  }

  // MARK: - The text

  @Test("each line is one of the text format, and the buckets of a histogram add up")
  func format() throws {
    let text = try run().output
    #expect(text.hasSuffix("\n"))
    var names: Set<Substring> = []
    var last: (series: String, count: Double)?
    for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("#") {
        let isTold = line.wholeMatch(of: /# (HELP|TYPE) [a-z_]+ .+/) != nil
        #expect(isTold, "\(line)")
        continue
      }
      let sample = /([a-z_]+)(?:\{([a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*)\})? (-?[0-9.e+]+)/
      let match = try #require(line.wholeMatch(of: sample), "\(line)")
      #expect(names.insert(line.prefix { $0 != " " }).inserted, "twice: \(line)")
      let value = try #require(Double(String(match.3)))
      #expect(value >= 0)
      let labels = String(match.2 ?? "")
      let series = String(match.1) + labels.replacing(/,?le="[^"]*"/, with: "")
      if match.1.hasSuffix("_bucket") {
        if let last, last.series == series { #expect(value >= last.count, "\(line)") }
        last = (series, value)
        continue
      }
      if match.1.hasSuffix("_count"), let last {
        #expect(last.count == value, "the bucket +Inf is all: \(line)")
      }
    }
  }

  @Test("a label is escaped, and so is a line break in a help text")
  func escaping() {
    let family = MetricFamily(
      "a",
      .gauge,
      "one\ntwo \\ three",
      [.init(labels: [("label", "\"quoted\" \\ and\nbroken")], value: .number(0.5))]
    )
    #expect(
      family.lines == [
        #"# HELP a one\ntwo \\ three"#, "# TYPE a gauge",
        #"a{label="\"quoted\" \\ and\nbroken"} 0.5"#,
      ]
    )
  }

  // MARK: - The file

  private func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      .filter { $0.hasPrefix("renderstate") }.sorted()
  }

  @Test("--output replaces a file as a whole, which others may read, and prints nothing")
  func output() throws {
    let path = folder.path("renderstate.prom")
    for round in 0..<2 {
      let before = try? FileManager.default.attributesOfItem(atPath: path)
      let outcome = try run("--output", path)
      #expect(outcome.exit == .code(0))
      #expect(outcome.output == "" && outcome.errors == "")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == run().output)
      let after = try FileManager.default.attributesOfItem(atPath: path)
      #expect((after[.posixPermissions] as? Int) == 0o666 & ~Int(currentMask()))
      let isNew = before?[.systemFileNumber] as? Int != after[.systemFileNumber] as? Int
      #expect(isNew, "round \(round)")
    }
    #expect(try files() == ["renderstate.prom"])
  }

  private func currentMask() -> mode_t {
    let mask = umask(0)
    umask(mask)
    return mask
  }

  @Test(
    "a file that cannot be written is a line on stderr and code 1, and nothing is left beside it"
  )
  func unwritable() throws {
    let missing = folder.path("none/renderstate.prom")
    let outcome = try run("--output", missing)
    #expect(outcome.exit == .code(1))
    #expect(
      outcome.errors == """
        renderstate: cannot write \(missing): No such file or directory; make its folder, for the \
        user who runs this\n
        """
    )
    let taken = folder.path("renderstate.d")
    try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: false)
    let other = try run("--output", taken)
    #expect(other.exit == .code(1))
    #expect(other.errors.contains("Is a directory; name a file"))
    let full = try run("--output", "/dev/full/renderstate.prom")
    #expect(full.errors.contains("Not a directory"))
    #expect(try files() == ["renderstate.d"])
    #expect(try run("--output", "").exit == .code(64))
  }
}
