/// Rows in aligned columns; those that find no room stand in a line of their own below.
struct Table {
  struct Column {
    let title: String
    var isNumber = false
    /// Below this width it is of no use beside the others.
    var leastWidth = 0
  }

  struct Row {
    let cells: [String]
    var styles: [Int: Paint.Style] = [:]
  }

  private static let gap = "  "

  let columns: [Column]
  let rows: [Row]

  /// The lines of the table, none of them longer than the width, if there is one.
  func lines(width: Int?, _ paint: Paint) -> [String] {
    let widths = columns.indices.map { column in
      ([columns[column].title] + rows.map { $0.cells[column] }).map(\.columns).max() ?? 0
    }
    let fitting = count(of: widths, fitting: width)
    func line(_ row: Row) -> String {
      let last = row.cells[..<fitting].lastIndex { !$0.isEmpty } ?? 0
      var used = 0
      let cells = row.cells[...last].enumerated().map { column, cell in
        let room = width.map { min(widths[column], $0 - used) } ?? widths[column]
        used += widths[column] + Self.gap.count
        var text = cell.cut(to: room)
        if columns[column].isNumber {
          text = text.paddedLeft(to: room)
        } else if column < last {
          text = text.padded(to: room)
        }
        return paint(text, row.styles[column] ?? .plain)
      }
      return cells.joined(separator: Self.gap)
    }
    let dim = columns.indices.map { ($0, Paint.Style.dim) }
    var lines = [
      line(Row(cells: columns.map(\.title), styles: Dictionary(uniqueKeysWithValues: dim)))
    ]
    for row in rows {
      lines.append(line(row))
      let rest = row.cells[fitting...].filter { !$0.isEmpty }.joined(separator: " · ")
      guard !rest.isEmpty else { continue }
      let indent = String(repeating: " ", count: (widths.first ?? 0) + Self.gap.count)
      let room = (width ?? .max) - indent.count
      lines.append(indent + paint(rest.cut(to: room), .dim))
    }
    return lines
  }

  /// How many of the columns, from the left, find room.
  private func count(of widths: [Int], fitting width: Int?) -> Int {
    guard let width else { return columns.count }
    var used = 0
    for column in columns.indices {
      let least = columns[column].leastWidth
      let needed = least > 0 ? min(least, widths[column]) : widths[column]
      guard used + needed <= width else { return max(1, column) }
      used += widths[column] + Self.gap.count
    }
    return columns.count
  }
}
