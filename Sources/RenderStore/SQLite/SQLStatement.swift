internal import GRDB
internal import GRDBSQLite
internal import JSON
internal import RenderModel

/// A prepared statement, bound and read in place.
///
/// GRDB prepares it; binding and reading go to SQLite directly, because GRDB binds text up to its
/// first NUL only, and boxes every value on the way.
final class SQLStatement {
  private let statement: Statement
  private let handle: OpaquePointer

  init(_ database: Database, _ sql: String) throws {
    statement = try database.makeStatement(sql: sql)
    handle = statement.sqliteStatement
  }

  // MARK: - Running

  /// Runs the statement for its effect.
  func run() throws(StoreError) {
    defer { sqlite3_reset(handle) }
    while try step() {}
  }

  /// Runs the statement and reads its first row; nil if it has none.
  func first<Value>(
    _ read: (SQLStatement) throws(StoreError) -> Value
  ) throws(StoreError) -> Value? {
    defer { sqlite3_reset(handle) }
    return try step() ? try read(self) : nil
  }

  /// Runs the statement and reads every row.
  func all<Value>(
    _ read: (SQLStatement) throws(StoreError) -> Value
  ) throws(StoreError) -> [Value] {
    defer { sqlite3_reset(handle) }
    var values: [Value] = []
    while try step() { values.append(try read(self)) }
    return values
  }

  /// Runs the statement and hands out row by row.
  func read(_ body: (SQLStatement) throws(StoreError) -> Void) throws(StoreError) {
    defer { sqlite3_reset(handle) }
    while try step() { try body(self) }
  }

  /// The same for what throws errors of its own.
  func handOut(_ body: (SQLStatement) throws -> Void) throws {
    defer { sqlite3_reset(handle) }
    while try step() { try body(self) }
  }

  /// Goes on to the next row; false behind the last one, from where it would begin anew.
  ///
  /// For a statement that is read with pauses, which it spends in a read transaction.
  func step() throws(StoreError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW:
      return true
    case SQLITE_DONE:
      return false
    case let code:
      let message = String(cString: sqlite3_errmsg(sqlite3_db_handle(handle)))
      throw StoreError(code: code, message: message)
    }
  }

  // MARK: - Binding, from 1

  func bind(_ index: Int32, _ value: Int64) {
    sqlite3_bind_int64(handle, index, value)
  }

  func bind(_ index: Int32, _ value: Int64?) {
    if let value { bind(index, value) } else { sqlite3_bind_null(handle, index) }
  }

  func bind(_ index: Int32, _ value: Double) {
    sqlite3_bind_double(handle, index, value)
  }

  func bind(_ index: Int32, _ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      utf8.withMemoryRebound(to: CChar.self) { characters in
        // An empty text may have no address, and no address would bind NULL.
        guard let start = characters.baseAddress else {
          sqlite3_bind_text(handle, index, "", 0, transient)
          return
        }
        sqlite3_bind_text(handle, index, start, Int32(characters.count), transient)
      }
    }
  }

  func bind(_ index: Int32, _ text: String?) {
    if let text { bind(index, text) } else { sqlite3_bind_null(handle, index) }
  }

  /// A number, a text or null.
  func bind(_ index: Int32, _ value: JSON) {
    switch value {
    case .integer(let number): bind(index, number)
    case .number(let number): bind(index, number)
    case .string(let text): bind(index, text)
    case .null, .bool, .array, .object: sqlite3_bind_null(handle, index)
    }
  }

  // MARK: - Reading, from 0

  /// Whatever it is: a number, a text or null.
  func value(_ column: Int32) -> JSON {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_INTEGER: .integer(integer(column))
    case SQLITE_FLOAT: .number(double(column))
    case SQLITE_NULL: .null
    default: .string(text(column))
    }
  }

  func integer(_ column: Int32) -> Int64 {
    sqlite3_column_int64(handle, column)
  }

  func optionalInteger(_ column: Int32) -> Int64? {
    sqlite3_column_type(handle, column) == SQLITE_NULL ? nil : integer(column)
  }

  func double(_ column: Int32) -> Double {
    sqlite3_column_double(handle, column)
  }

  func text(_ column: Int32) -> String {
    optionalText(column) ?? ""
  }

  /// What a database that is not ours may hold, blobs and broken texts included.
  func foreignValue(_ column: Int32) -> SQLValue {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_NULL: return .null
    case SQLITE_INTEGER: return .integer(integer(column))
    case SQLITE_FLOAT: return .real(double(column))
    case SQLITE_TEXT:
      guard let start = sqlite3_column_text(handle, column) else { return .bytes }
      let count = Int(sqlite3_column_bytes(handle, column))
      let bytes = UnsafeBufferPointer(start: start, count: count)
      return String(validating: bytes, as: UTF8.self).map(SQLValue.text) ?? .bytes
    default: return .bytes
    }
  }

  /// A word of the machine.
  ///
  /// - Throws: if the file holds something else there: it is damaged.
  func word<Word: RawRepresentable<String>>(_ column: Int32) throws(StoreError) -> Word {
    let text = text(column)
    guard let word = Word(rawValue: text) else { throw .damaged("the word \(text.prefix(40))") }
    return word
  }

  /// A moment of the clock.
  func time(_ column: Int32) -> Timestamp {
    Timestamp(milliseconds: integer(column))
  }

  func optionalTime(_ column: Int32) -> Timestamp? {
    optionalInteger(column).map(Timestamp.init(milliseconds:))
  }

  func optionalText(_ column: Int32) -> String? {
    guard let start = sqlite3_column_text(handle, column) else { return nil }
    let count = Int(sqlite3_column_bytes(handle, column))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }
}

/// Tells SQLite to copy what is bound (sqlite.org/c3ref/c_static.html).
private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
