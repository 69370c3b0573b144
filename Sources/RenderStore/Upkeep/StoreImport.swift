internal import GRDB
internal import GRDBSQLite
internal import JSON

/// Makes a database of what an export has written; it is checked as a whole at its end.
public final class StoreImport {
  private let file: PartialFile
  private let queue: DatabaseQueue
  private var tables: [String: (table: ExportedTable, insert: SQLStatement)] = [:]
  /// Those of which rows have come.
  private var begun: Set<String> = []
  private var lines: Int64 = 0
  /// What the first line has announced.
  private var announced: StoreContents?
  private var hasEnded = false

  /// Begins in an empty file.
  public init(into file: PartialFile) throws(UpkeepError) {
    self.file = file
    do {
      queue = try file.openForWriting()
      try queue.inDatabase { database in
        try database.execute(sql: "PRAGMA cache_size = -65536")
        try database.execute(sql: "BEGIN; \(Schema.creation)")
        try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        try database.execute(sql: "PRAGMA user_version = \(Schema.version)")
        // What they would do has been done: the log says so.
        try RenderStore.set(SQLITE_DBCONFIG_ENABLE_TRIGGER, to: false, of: database)
        for table in try ExportedTable.all() {
          tables[table.name] = (table, try SQLStatement(database, table.insert))
        }
      }
    } catch {
      throw file.error(error)
    }
  }

  deinit {
    tables = [:]
    try? queue.close()
  }

  /// Takes the next line, without its end.
  ///
  /// - Throws: one line that says which, and why it cannot be taken.
  public func add(_ line: UnsafeRawBufferPointer) throws(UpkeepError) {
    lines += 1
    do {
      let json = try JSON(reading: line)
      guard case .object(let object) = json, let member = object.members.first,
        case .object(let row) = member.value, object.members.count == 1
      else { throw Unusable(reason: "it is no object with one object in it") }
      try add(member.key, row)
    } catch let error as Unusable {
      throw wrong(error.reason)
    } catch let error as JSONSyntaxError {
      throw wrong("it is no JSON at byte \(error.offset): \(error.reason)")
    } catch StoreError.defect(let refusal) {
      throw wrong("the database refuses it: \(refusal)")
    } catch {
      throw file.error(error)
    }
  }

  private struct Unusable: Error {
    let reason: String
  }

  private func wrong(_ reason: String) -> UpkeepError {
    UpkeepError("nothing is imported: line \(lines) cannot be taken: \(reason)")
  }

  private func add(_ name: String, _ row: JSONObject) throws {
    guard !hasEnded else { throw Unusable(reason: "it stands behind the end") }
    guard announced != nil else { return try begin(name, row) }
    if name == ExportFormat.end {
      guard case .integer(lines)? = row["lines"] else {
        throw Unusable(reason: "there should be another number of lines before it")
      }
      hasEnded = true
      return
    }
    guard let (table, insert) = tables[name] else {
      throw Unusable(reason: "there is no table \(name.prefix(100))")
    }
    for member in row.members where !table.columns.contains(member.key) {
      throw Unusable(reason: "\(name) has no column \(member.key.prefix(100))")
    }
    for (column, columnName) in table.columns.enumerated() {
      try insert.bind(
        Int32(column + 1),
        value(row[columnName], isMetadata: table.isMetadata(column))
      )
    }
    if begun.insert(name).inserted {
      // All rows come from the export, also those that a new database begins with.
      try queue.inDatabase { try $0.execute(sql: "DELETE FROM \"\(name)\"") }
    }
    try insert.run()
  }

  private func begin(_ name: String, _ row: JSONObject) throws {
    guard name == ExportFormat.head, case .integer(let format)? = row["format"],
      case .integer(let schema)? = row["schema"], case .integer(let seq)? = row["seq"],
      case .integer(let renders)? = row["renders"]
    else { throw Unusable(reason: "an export begins with the line of its \(ExportFormat.head)") }
    guard format <= ExportFormat.version, schema <= Schema.version else {
      throw Unusable(reason: "it was exported by a newer renderstate; update this one")
    }
    announced = StoreContents(seq: seq, renders: renders)
  }

  private func value(_ json: JSON?, isMetadata: Bool) throws -> JSON {
    switch json {
    case nil: return .null
    case .object(let object)? where isMetadata: return .string(JSON.object(object).compactText)
    case .bool?, .array?, .object?: throw Unusable(reason: "a column holds a text or a number")
    case .string(let text)? where isMetadata:
      throw Unusable(reason: "metadata is an object: \(text.prefix(40))")
    case let json?: return json
    }
  }

  /// Checks what has been taken: that it is all there, that the file is sound, and that the log leads to
  /// the renders.
  ///
  /// - Parameter progress: told what is being done, and how much of it is done.
  /// - Returns: what is in the database, which has yet to be published.
  /// - Throws: one line that says what is wrong.
  public func finish(
    progress: (String, Double?) -> Void = { _, _ in }
  ) throws(UpkeepError) -> StoreContents {
    guard let announced else {
      throw UpkeepError("nothing is imported: there is no export to read")
    }
    guard hasEnded else {
      throw UpkeepError("nothing is imported: the export is cut off behind line \(lines)")
    }
    do {
      tables = [:]
      try queue.inDatabase { try $0.execute(sql: "COMMIT") }
      try queue.close()
      progress("checking", nil)
      let reader = try StoreReader(copy: file)
      defer { reader.close() }
      try check(reader, announced) { progress("checking", $0) }
      return announced
    } catch let error as UpkeepError {
      throw error
    } catch {
      throw file.error(error)
    }
  }

  private func check(
    _ reader: StoreReader,
    _ announced: StoreContents,
    progress: (Double) -> Void
  ) throws {
    let contents = try reader.contents()
    guard contents == announced else {
      throw UpkeepError(
        """
        nothing is imported: there should be \(announced.renders) renders up to seq \(announced.seq), and \
        there are \(contents.renders) up to seq \(contents.seq)
        """
      )
    }
    if let damage = try reader.damage(isFull: true).first {
      throw UpkeepError("nothing is imported: \(damage); look after the disk")
    }
    let replay = try reader.replay(progress: progress)
    if let seq = replay.firstMissing {
      throw UpkeepError("nothing is imported: change \(seq) is missing in the log")
    }
    if let fault = replay.faults.first {
      throw UpkeepError(
        "nothing is imported: the log does not lead to \(fault.id), seq \(fault.seq): \(fault.what)"
      )
    }
  }
}
