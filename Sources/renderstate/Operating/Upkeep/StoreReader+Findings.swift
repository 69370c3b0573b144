internal import Glibc
internal import RenderModel
internal import RenderStore

/// The write-ahead log is moved into the file at 16 MiB, and cut to 64 MiB afterwards.
private let largestWriteAheadLog: Int64 = 256 << 20
/// The watchdog fails a render at most a second after its deadline.
private let slackOfWatchdog: Int64 = 10_000
/// An active render without a deadline is stuck if it had no event for so long.
private let quietTime: Int64 = 3_600_000
/// The longest that a lease is given for.
private let longestLease: Int64 = 31_622_400_000

private let restoreAdvice =
  "stop the sidecars and restore a backup (`renderstate restore`); without one, sqlite3's .recover"

extension StoreReader {
  // MARK: - What is around it

  var versionFindings: [Finding] {
    let versions =
      "renderstate \(RenderStateCommand.version), SQLite \(RenderStore.sqliteVersion), "
      + "schema \(schemaVersion)"
    var findings: [Finding] = [.ok(versions)]
    if schemaVersion < Self.newestSchemaVersion {
      findings.append(
        .note(
          "the schema is of an older renderstate; this one's is \(Self.newestSchemaVersion)",
          "start `renderstate serve` on it once, which brings it up to date"
        )
      )
    }
    if Self.hasWALResetBug {
      findings.append(
        .note(
          "this SQLite has the WAL-reset bug; sidecars keep out of its way by their lock file",
          "let no other program write to the database while they run, or update SQLite to 3.51.3"
        )
      )
    }
    return findings
  }

  var filesystemFinding: Finding {
    guard let filesystem = networkFilesystem else { return .ok("on a disk of this machine") }
    return .problem(
      "on a network filesystem (\(filesystem)): its locks may not hold between machines",
      "move the database to a local disk: stop the sidecars, backup, restore there"
    )
  }

  var permissionFindings: [Finding] {
    let files = files
    guard let database = files.first else { return [] }
    var findings: [Finding] = []
    let strange = files.filter { $0.owner != database.owner }
    if !strange.isEmpty {
      findings.append(
        .problem(
          "of another user than the database: \(names(of: strange))",
          "give them to the database's owner (chown \(database.owner)), or its sidecars cannot start"
        )
      )
    }
    let open = files.filter { $0.mode & 0o022 != 0 }
    if !open.isEmpty {
      findings.append(
        .problem(
          "others may write to \(names(of: open))",
          "chmod go-w them: whoever may write to them may change any render"
        )
      )
    }
    if database.mode & 0o044 != 0 {
      findings.append(
        .note(
          "others may read the database",
          "chmod go-r it, unless they are meant to see URLs and metadata"
        )
      )
    }
    return findings.isEmpty ? [.ok("only its owner may read and write")] : findings
  }

  private func names(of files: [StoreFile]) -> String {
    files.map(\.path).joined(separator: ", ")
  }

  var writeAheadLogFinding: Finding {
    let bytes = files.first { $0.path.hasSuffix("-wal") }?.bytes ?? 0
    guard bytes > largestWriteAheadLog else {
      return .ok(bytes > 0 ? size(ofBytes: bytes) : "none")
    }
    return .problem(
      "\(size(ofBytes: bytes)): it is not moved into the database",
      "look for a program that reads for hours, or a sidecar that is stopped (fuser \(path))"
    )
  }

  // MARK: - What is in it

  func schemaFindings() throws -> [Finding] {
    let drift = try schemaDrift()
    var findings: [Finding] = []
    if !drift.missing.isEmpty || !drift.changed.isEmpty {
      let missing = drift.missing.map { "\($0) is missing" }
      let changed = drift.changed.map { "\($0) is another one" }
      findings.append(
        .problem(
          (missing + changed).joined(separator: ", "),
          """
          somebody has changed the schema, and what it kept from happening may have happened; \
          restore a backup, or export and import
          """
        )
      )
    }
    if !drift.added.isEmpty {
      findings.append(
        .note(
          "not of renderstate: \(drift.added.joined(separator: ", "))",
          "what else is needed belongs into a database of its own; an export leaves it out"
        )
      )
    }
    return findings.isEmpty ? [.ok("as renderstate makes it")] : findings
  }

  func damageFindings(isFull: Bool) throws -> [Finding] {
    let damage = try damage(isFull: isFull)
    guard let first = damage.first else {
      return [.ok(isFull ? "every page and index is sound" : "every page is sound")]
    }
    let more = damage.count > 1 ? ", and \(damage.count - 1) more" : ""
    return [.problem("damaged: \(first)\(more)", restoreAdvice)]
  }

  func logFindings(progress: (Double) -> Void) throws -> [Finding] {
    let replay = try replay(progress: progress)
    var findings: [Finding] = []
    if let first = replay.firstMissing {
      findings.append(
        .problem(
          "\(grouped(replay.missing)) changes are missing, the first of them \(first)",
          restoreAdvice
        )
      )
    }
    for fault in replay.faults {
      let place = fault.id.isEmpty ? "" : "\(fault.id), seq \(fault.seq): "
      findings.append(.problem(place + fault.what, restoreAdvice))
    }
    let untold = replay.faultCount - Int64(replay.faults.count)
    if untold > 0 {
      findings.append(.problem("and \(grouped(untold)) more of these", restoreAdvice))
    }
    let told = "the renders follow from it: "
    let extent = counted(replay.changes, "change") + ", " + counted(replay.renders, "render")
    return findings.isEmpty ? [.ok(told + extent)] : findings
  }

  func renderFindings(at now: Timestamp, _ times: TimeForm) throws -> [Finding] {
    var findings: [Finding] = []
    if let overdue = try overdue(before: now.advanced(by: -slackOfWatchdog)) {
      findings.append(
        .problem(
          "past their deadlines: \(overdue.told), \(times.text(overdue.moment))",
          "no sidecar runs, or none gets through; start `renderstate serve`, which fails them"
        )
      )
    }
    if let quiet = try quiet(since: now.advanced(by: -quietTime)) {
      findings.append(
        .problem(
          "without an event for an hour: \(quiet.told), \(times.text(quiet.moment))",
          """
          `renderstate list --stuck 1h` shows them, `renderstate send ID cancel` ends one; \
          with `serve --stall-timeout` they end by themselves
          """
        )
      )
    }
    return findings.isEmpty ? [.ok("none is stuck")] : findings
  }

  func leaseFindings(at now: Timestamp, _ times: TimeForm) throws -> [Finding] {
    var findings: [Finding] = []
    if let orphaned = try abandonedLeases(at: now) {
      findings.append(
        .note(
          "ran out and not released: \(orphaned.told), \(times.text(orphaned.moment))",
          "free for the next holder; if there should be one, look whether it still runs"
        )
      )
    }
    if let endless = try leases(beyond: now.advanced(by: longestLease)) {
      findings.append(
        .problem(
          "held longer than a lease is given: \(endless.told), until \(times.text(endless.moment))",
          "the clock was wrong when it was taken; set it right, and have its holder release it"
        )
      )
    }
    return findings.isEmpty ? [.ok("none is orphaned")] : findings
  }
}

extension Group {
  /// Like `intro`, or `intro and 2 more`.
  fileprivate var told: String {
    count == 1 ? first : "\(first) and \(grouped(count - 1)) more"
  }
}
