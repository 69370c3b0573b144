internal import JSON

enum ExportFormat {
  static let version: Int64 = 1
  /// What is written before the rows, and behind them.
  static let head = "store"
  static let end = "end"
  /// So many bytes are handed out at once.
  static let portion = 1 << 16
}

extension StoreReader {
  /// Writes all that is in the database as JSON, an object a line: first what there is, then row by row,
  /// and at the end how many lines there were, so that half an export is told from a whole one.
  ///
  /// To be called on a copy: whoever takes the lines slowly would keep the write-ahead log growing.
  ///
  /// - Parameters:
  ///   - put: takes some lines.
  ///   - progress: told how much is done, from 0 to 1.
  /// - Throws: what `put` throws, or why the database cannot be read.
  public func export(
    to put: ([UInt8]) throws -> Void,
    progress: (Double) -> Void = { _ in }
  ) throws {
    guard schemaVersion == Schema.version else {
      throw UpkeepError(
        "\(path) is of an older renderstate; start `renderstate serve` on it once before an export"
      )
    }
    try snapshot {
      let contents = try contents()
      var writer = JSONWriter()
      var lines: Int64 = 1
      writer.line(
        ExportFormat.head,
        [
          "format": ExportFormat.version, "schema": schemaVersion, "seq": contents.seq,
          "renders": contents.renders,
        ]
      )
      // Most rows are those of these two.
      let rows = Double(max(1, contents.seq + contents.renders))
      for table in try ExportedTable.all() {
        try statement(table.select).handOut { row in
          try writer.row(row, of: table)
          lines += 1
          guard writer.count >= ExportFormat.portion else { return }
          try put(writer.take())
          progress(min(1, Double(lines) / rows))
        }
      }
      writer.line(ExportFormat.end, ["lines": lines + 1])
      try put(writer.take())
    }
  }
}
