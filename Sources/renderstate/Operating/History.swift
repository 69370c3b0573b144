internal import RenderModel

/// The last changes of a render in a table, the newest last.
struct History {
  let changes: [Change]

  func lines(_ presentation: Presentation) -> [String] {
    let table = Table(
      columns: [
        Table.Column(title: "seq", isNumber: true), Table.Column(title: "when"),
        Table.Column(title: "event"), Table.Column(title: "from → to"),
        Table.Column(title: "done", isNumber: true), Table.Column(title: "actor"),
        Table.Column(title: "run/attempt"), Table.Column(title: "what", leastWidth: 24),
      ],
      rows: zip([nil] + changes, changes).map { row($1, after: $0, presentation.times) }
    )
    let lines = table.lines(width: presentation.width, presentation.paint)
    // Versions are counted from 1.
    guard let earlier = changes.first.map({ $0.version - 1 }), earlier > 0 else { return lines }
    let note = "\(grouped(earlier)) before these; --limit shows more"
    return [presentation.paint(note, .dim)] + lines
  }

  private func row(_ change: Change, after previous: Change?, _ times: TimeForm) -> Table.Row {
    Table.Row(
      cells: [
        "\(change.seq)", times.text(change.at), change.event.rawValue,
        "\(change.previousState.rawValue) → \(change.state.rawValue)",
        "\(Int(change.progress.rounded())) %", (change.actor ?? "").printable,
        "\(change.run)/\(change.attempt)", change.news(after: previous).printable,
      ],
      styles: [3: Paint.Style(state: change.state.rawValue)]
    )
  }
}

extension Change {
  /// What it brought with it.
  func news(after previous: Change?) -> String {
    var parts: [String] = []
    if let renderID, renderID != previous?.renderID {
      parts.append(bucketName.map { "\(renderID) in \($0)" } ?? renderID)
    }
    parts += [error, videoURL, metadata].compactMap { $0 }
    return parts.joined(separator: "  ")
  }
}
