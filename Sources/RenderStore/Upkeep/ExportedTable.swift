internal import GRDB
internal import JSON

/// A table as an export knows it: an object for each row, with a member for each column.
///
/// A row is written as it stands, so that an export leaves nothing out that a later version of the
/// schema keeps; metadata alone is written as the object it is, and not as its text.
struct ExportedTable {
  let name: String
  let columns: [String]

  /// The tables of a new database, in the order in which they are made.
  static func all() throws -> [ExportedTable] {
    try DatabaseQueue().inDatabase { database in
      try database.execute(sql: Schema.creation)
      let names = try String.fetchAll(
        database,
        sql: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid"
      )
      return try names.map { name in
        ExportedTable(name: name, columns: try database.columns(in: name).map(\.name))
      }
    }
  }

  var select: String {
    "SELECT \(columns.map { "\"\($0)\"" }.joined(separator: ", ")) FROM \"\(name)\""
  }

  var insert: String {
    let parameters = columns.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
    return "INSERT INTO \"\(name)\" VALUES (\(parameters))"
  }

  func isMetadata(_ column: Int) -> Bool { columns[column] == "metadata" }
}

extension JSONWriter {
  /// The line of a row.
  mutating func row(_ row: SQLStatement, of table: ExportedTable) throws(StoreError) {
    beginObject()
    key(escaping: table.name)
    beginObject()
    for (column, name) in table.columns.enumerated() {
      key(escaping: name)
      switch (row.value(Int32(column)), table.isMetadata(column)) {
      case (.string(let text), true):
        guard case .object(let object)? = try? JSON(reading: text) else {
          throw .damaged("metadata that is no JSON object")
        }
        self.object(object)
      case (let value, _): json(value)
      }
    }
    endObject()
    endObject()
    endLine()
  }

  /// The line of an object with whole numbers.
  mutating func line(_ name: String, _ members: KeyValuePairs<String, Int64>) {
    beginObject()
    key(escaping: name)
    beginObject()
    for (name, number) in members {
      key(escaping: name)
      integer(number)
    }
    endObject()
    endObject()
    endLine()
  }
}
