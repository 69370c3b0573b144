internal import GRDB

/// How a database's schema differs from the one this program makes.
public struct SchemaDrift: Sendable, Equatable {
  /// Tables, indexes, views and triggers that are not there.
  public var missing: [String] = []
  /// Those that are there and not as they should be.
  public var changed: [String] = []
  /// Those that somebody else has made.
  public var added: [String] = []
}

extension StoreReader {
  /// Compares what is there with what a new database would have, but for white space.
  public func schemaDrift() throws(StoreError) -> SchemaDrift {
    do {
      let expected = try DatabaseQueue().inDatabase { database in
        try database.execute(sql: Schema.creation)
        return try Self.objects(of: database)
      }
      let found = try queue.inDatabase { try Self.objects(of: $0) }
      return SchemaDrift(
        missing: expected.keys.filter { found[$0] == nil }.sorted(),
        changed: expected.filter { found[$0.key].map($0.value.differs) ?? false }.keys.sorted(),
        added: found.keys.filter { expected[$0] == nil }.sorted()
      )
    } catch {
      throw StoreError(error)
    }
  }

  private static func objects(of database: Database) throws -> [String: String] {
    let rows = try Row.fetchAll(
      database,
      sql: """
        SELECT type || ' ' || name, sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        """
    )
    return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
  }
}

extension String {
  fileprivate func differs(_ other: String) -> Bool {
    split(whereSeparator: \.isWhitespace) != other.split(whereSeparator: \.isWhitespace)
  }
}
