internal import JSON
internal import RenderStore

/// What came of the rows of an old table, counted.
struct LegacyReport: Sendable {
  /// Of the old database.
  let path: String
  let table: String
  let isRehearsal: Bool

  private(set) var rows: Int64 = 0
  private(set) var taken: Int64 = 0
  private(set) var changes: Int64 = 0
  private(set) var present: Int64 = 0
  private(set) var kept: Int64 = 0
  private(set) var withoutStatus: Int64 = 0
  private(set) var withoutVideo: Int64 = 0
  private(set) var refused: Int64 = 0
  /// How often each status was met that is none of a render, in the order in which they were met.
  private(set) var otherStatuses: [(status: String, count: Int64)] = []

  /// So many of them are told apart.
  private static let mostStatuses = 20

  init(path: String, table: String, isRehearsal: Bool) {
    self.path = path
    self.table = table
    self.isRehearsal = isRehearsal
  }

  mutating func count(_ result: LegacyImport.Result) {
    rows += result.rows
    switch result.outcome {
    case .taken(let changes):
      taken += 1
      self.changes += changes
    case .present: present += 1
    case .kept: kept += 1
    case .withoutRender(nil): withoutStatus += 1
    case .withoutRender(let status?): count(status)
    case .withoutVideo: withoutVideo += 1
    case .refused: refused += result.rows
    }
  }

  private mutating func count(_ status: String) {
    if let index = otherStatuses.firstIndex(where: { $0.status.hasSameBytes(as: status) }) {
      otherStatuses[index].count += 1
    } else if otherStatuses.count < Self.mostStatuses {
      otherStatuses.append((status, 1))
    } else if let last = otherStatuses.indices.last {
      // Whoever has so many has named the wrong column.
      otherStatuses[last] = ("others", otherStatuses[last].count + 1)
    }
  }

  // MARK: - For people

  func lines(_ presentation: Presentation) -> [String] {
    let paint = presentation.paint
    let ways =
      [("no status", withoutStatus), ("completed without a video", withoutVideo)]
      + otherStatuses.map { ($0.status.printable, $0.count) }
    let nothing = ways.reduce(0) { $0 + $1.1 }
    let reasons = ways.filter { $0.1 > 0 }.map { "\($0.0): \(grouped($0.1))" }
    let counts: [(name: String, count: Int64, style: Paint.Style, note: String)] = [
      ("taken over", taken, .green, changes > 0 ? "in \(grouped(changes)) changes" : ""),
      ("there already", present, .plain, ""),
      ("kept as it is", kept, .yellow, kept > 0 ? "the store says something else" : ""),
      ("not a render", nothing, .plain, reasons.joined(separator: ", ")),
      ("refused", refused, .red, ""),
    ]
    let width = counts.map { grouped($0.count).count }.max() ?? 0
    let heading = "\(table.printable) of \(path.printable), \(counted(rows, "row"))"
    let rehearsal = isRehearsal ? "; a dry run: nothing was changed" : ""
    return [paint(heading, .bold) + rehearsal]
      + counts.map { name, count, style, note in
        let number = paint(grouped(count).paddedLeft(to: width), count > 0 ? style : .dim)
        let line = "  " + paint(name.padded(to: 13), .dim) + "  " + number
        return note.isEmpty ? line : line + "  " + note
      }
  }

  /// A row that needs to be looked at; nil for the others.
  static func line(_ result: LegacyImport.Result, _ presentation: Presentation) -> String? {
    let paint = presentation.paint
    let id = result.id?.printable ?? "(no id)"
    switch result.outcome {
    case .kept(let reason): return paint("kept", .yellow) + "     \(id): \(reason.printable)"
    case .refused(let reason): return paint("refused", .red) + "  \(id): \(reason.printable)"
    default: return nil
    }
  }

  // MARK: - For programs

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("from")
    writer.string(path)
    writer.key("table")
    writer.string(table)
    writer.key("dryRun")
    writer.bool(isRehearsal)
    let counts: [(String, Int64)] = [
      ("rows", rows), ("taken", taken), ("changes", changes), ("present", present),
      ("kept", kept), ("withoutStatus", withoutStatus), ("withoutVideo", withoutVideo),
      ("refused", refused),
    ]
    for (name, count) in counts {
      writer.key(escaping: name)
      writer.integer(count)
    }
    writer.key("otherStatuses")
    writer.beginObject()
    for (status, count) in otherStatuses {
      writer.key(escaping: status)
      writer.integer(count)
    }
    writer.endObject()
    writer.endObject()
  }

  /// The same of a row that needs to be looked at.
  static func write(_ result: LegacyImport.Result, to writer: inout JSONWriter) {
    let (outcome, reason): (String, String)
    switch result.outcome {
    case .kept(let text): (outcome, reason) = ("kept", text)
    case .refused(let text): (outcome, reason) = ("refused", text)
    default: return
    }
    writer.beginObject()
    writer.key("id")
    writer.string(result.id)
    writer.key("outcome")
    writer.string(outcome)
    writer.key("reason")
    writer.string(reason)
    writer.endObject()
  }
}

extension LegacyImport.Result {
  /// Whether somebody has to look at the row.
  var isRemarkable: Bool {
    switch outcome {
    case .kept, .refused: true
    case .taken, .present, .withoutRender, .withoutVideo: false
    }
  }
}
