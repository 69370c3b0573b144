/// A value of SQLite, of whatever kind its row has.
public enum SQLValue: Sendable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  /// A blob, or a text that is no UTF-8.
  case bytes
}
