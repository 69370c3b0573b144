internal import JSON
internal import RenderModel
internal import RenderStore

/// What came of examining a database, in the order in which it is told.
struct Examination: Sendable {
  let path: String
  private(set) var findings: [(check: String, finding: Finding)] = []

  var problems: Int { findings.count { $0.finding.level == .problem } }
  private var notes: Int { findings.count { $0.finding.level == .note } }

  /// - Parameters:
  ///   - reader: the database.
  ///   - isQuick: whether to leave out what takes long.
  ///   - now: what times are compared with.
  ///   - times: how they are told.
  ///   - progress: told what is being examined, and how much of it is done.
  init(
    of reader: StoreReader,
    isQuick: Bool,
    at now: Timestamp,
    times: TimeForm,
    progress: (String, Double?) -> Void = { _, _ in }
  ) {
    path = reader.path
    examine("versions") { reader.versionFindings }
    examine("filesystem") { [reader.filesystemFinding] }
    examine("permissions") { reader.permissionFindings }
    examine("write-ahead log") { [reader.writeAheadLogFinding] }
    // What is in the tables of an older version is not where it is looked for.
    let isCurrent = reader.schemaVersion == StoreReader.newestSchemaVersion
    if isCurrent { examine("schema") { try reader.schemaFindings() } }
    examine("file") {
      progress("checking the file", nil)
      return try reader.damageFindings(isFull: !isQuick)
    }
    guard isCurrent else { return }
    if !isQuick {
      examine("log") { try reader.logFindings { progress("following the log", $0) } }
    }
    examine("renders") { try reader.renderFindings(at: now, times) }
    examine("leases") { try reader.leaseFindings(at: now, times) }
  }

  private mutating func examine(_ check: String, _ body: () throws -> [Finding]) {
    do {
      findings += try body().map { (check, $0) }
    } catch {
      let advice = "look at the other findings; if there is none, this is a defect of renderstate"
      findings.append((check, .problem("cannot be examined: \(error)", advice)))
    }
  }

  func lines(_ presentation: Presentation) -> [String] {
    let paint = presentation.paint
    let width = findings.map(\.check.count).max() ?? 0
    let indent = String(repeating: " ", count: 11 + width + 2)
    var lines = [paint(path.printable, .bold)]
    for (check, finding) in findings {
      let level = paint(finding.level.rawValue.padded(to: 7), Paint.Style(level: finding.level))
      lines.append(
        "  \(level)  \(paint(check.padded(to: width), .dim))  \(finding.message.printable)"
      )
      if let advice = finding.advice { lines.append(indent + paint(advice.printable, .dim)) }
    }
    return lines + [paint(summary, problems > 0 ? .red : .green)]
  }

  private var summary: String {
    let verdict = problems > 0 ? counted(Int64(problems), "problem") : "sound"
    return verdict + (notes > 0 ? ", " + counted(Int64(notes), "note") : "")
  }
}
