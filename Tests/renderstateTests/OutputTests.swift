import Foundation
import RenderModel
import RenderStore
import Support
import Testing

@testable import renderstate

/// What the commands print, as committed texts (re-made with RENDERSTATE_REGENERATE=1).
@Suite("Output")
struct OutputTests {
  private let folder: TemporaryFolder
  private let database: OperatedStore

  init() throws {
    folder = try TemporaryFolder()
    database = try OperatedStore(at: folder.database)
  }

  /// Expects what a command prints, with exact times.
  private func expect(
    _ arguments: String...,
    exit: Int32 = 0,
    in name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try SidecarProcess.run(arguments + ["--utc", "--database", folder.database])
    #expect(outcome.exit == .code(exit), "\(outcome.errors)", sourceLocation: sourceLocation)
    try Golden.expect(outcome.output, in: "Output/\(name)", sourceLocation: sourceLocation)
  }

  /// Expects what is shown to somebody who looks at noon.
  private func expect(
    _ lines: (RenderStore, Presentation) throws -> [String],
    width: Int? = nil,
    in name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let presentation = Presentation(
      paint: Paint(isOn: false),
      times: .ago(from: OperatedStore.now),
      width: width
    )
    let lines = try database.use { try lines($0, presentation) }
    let text = lines.map { $0 + "\n" }.joined()
    try Golden.expect(text, in: "Output/\(name)", sourceLocation: sourceLocation)
  }

  // MARK: - Renders

  @Test("status: all that is known of each render")
  func status() throws {
    try expect("status", "intro", "teaser 🎬", "trailer", "credits", in: "status-utc.txt")
    try expect("status", "intro", "never", "--json", exit: 2, in: "status.jsonl")
    try expect(
      { store, presentation in
        let render = try store.render("intro")
        let details = RenderDetails(render: render, lastChange: try store.change(render.seq))
        return details.lines(presentation)
      },
      in: "status.txt"
    )
  }

  @Test("list: a line for each render, the last changed first")
  func list() throws {
    try expect("list", in: "list-utc.txt")
    try expect("list", "--json", in: "list.jsonl")
    try expect("list", "--limit", "2", in: "list-limited.txt")
    try expect("list", "--stuck", "1m", in: "list-stuck.txt")
    try expect("list", "--state", "idle", in: "list-empty.txt")
    for width in [nil, 60] {
      try expect(
        { store, presentation in
          let renders = try store.list(State.allCases, behind: nil, limit: 9)
          return RenderList(renders: renders, hasMore: false).lines(presentation)
        },
        width: width,
        in: width == nil ? "list.txt" : "list-narrow.txt"
      )
    }
  }

  @Test("history: a line for each change, the newest last")
  func history() throws {
    try expect("history", "intro", in: "history-utc.txt")
    try expect("history", "intro", "--json", in: "history.jsonl")
    try expect("history", "intro", "--limit", "2", in: "history-limited.txt")
    for width in [nil, 70] {
      try expect(
        { store, presentation in
          let changes = try store.latestChanges(of: "intro", limit: 100)
          return History(changes: changes).lines(presentation)
        },
        width: width,
        in: width == nil ? "history.txt" : "history-narrow.txt"
      )
    }
  }

  @Test("stats: what is in the store")
  func stats() throws {
    // This is of this machine, and of this version of the schema.
    func common(_ text: String) -> String {
      text.replacing(RenderStore.sqliteVersion, with: "3.x.y")
        .replacing(folder.url.resolvingSymlinksInPath().path, with: "/srv/renders")
        .replacing(/[0-9.]+ KiB/, with: "4.00 KiB")
        .replacing(/"bytes":[0-9]+/, with: #""bytes":4096"#)
    }
    try expect(
      { store, presentation in
        try StoreOverview(of: store).lines(presentation).map(common)
      },
      in: "stats.txt"
    )
    let outcome = try SidecarProcess.run(["stats", "--json", "--database", folder.database])
    try Golden.expect(common(outcome.output), in: "Output/stats.json")
  }

  @Test("metrics: what Prometheus is told of the store")
  func metrics() throws {
    // This is of this machine, and of this version of the schema.
    func common(_ text: String) -> String {
      text.replacing(RenderStore.sqliteVersion, with: "3.x.y")
        .replacing(/size_bytes [0-9]+/, with: "size_bytes 4096")
        .replacing(/(size_bytes".*"value":)[0-9]+/) { "\($0.1)4096" }
    }
    for (arguments, name) in [([], "metrics.prom"), (["--json"], "metrics.jsonl")] {
      let all = ["metrics", "--database", folder.database] + arguments
      let outcome = try SidecarProcess.run(all)
      #expect(outcome.exit == .code(0), "\(outcome.errors)")
      try Golden.expect(common(outcome.output), in: "Output/\(name)")
    }
  }

  // MARK: - Times and texts

  @Test("a moment is told by how long it is ago, in whole units")
  func ago() {
    let now = OperatedStore.now
    for (milliseconds, text) in [
      (0, "now"), (999, "now"), (-999, "now"), (1_000, "1 s ago"), (59_999, "59 s ago"),
      (60_000, "1 min ago"), (3_599_999, "59 min ago"), (3_600_000, "1 h ago"),
      (86_399_999, "23 h ago"), (86_400_000, "1 d ago"), (864_000_000_000, "10000 d ago"),
      (-120_000, "in 2 min"), (Int64.max, "106751991167 d ago"),
      (Int64.min + 1, "in 106751991167 d"),
    ] {
      let moment = Timestamp(milliseconds: 0).advanced(by: -milliseconds)
      let from = Timestamp(milliseconds: 0)
      #expect(TimeForm.ago(from: from).text(moment) == text)
    }
    #expect(TimeForm.utc.text(now) == "2026-11-22T12:00:00.000Z")
  }

  @Test("control characters are shown, and do nothing")
  func printable() {
    #expect("a\n\u{1B}[31m\0\t\u{7F}\u{9B}é🎬".printable == "a␊␛[31m␀␉\u{FFFD}\u{FFFD}é🎬")
    #expect("plain".printable == "plain")
  }
}
