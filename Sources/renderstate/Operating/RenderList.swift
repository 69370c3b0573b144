internal import RenderModel

/// Renders in a table.
struct RenderList {
  let renders: [Render]
  /// Whether there are more than these.
  let hasMore: Bool

  func lines(_ presentation: Presentation) -> [String] {
    guard !renders.isEmpty else { return ["no renders"] }
    let table = Table(
      columns: [
        Table.Column(title: "id"), Table.Column(title: "state"),
        Table.Column(title: "done", isNumber: true), Table.Column(title: "last event"),
        Table.Column(title: "when"), Table.Column(title: "run/attempt"),
        Table.Column(title: "what", leastWidth: 24),
      ],
      rows: renders.map { row($0, presentation.times) }
    )
    let lines = table.lines(width: presentation.width, presentation.paint)
    guard hasMore else { return lines }
    return lines + [presentation.paint("and more; --limit shows them", .dim)]
  }

  private func row(_ render: Render, _ times: TimeForm) -> Table.Row {
    Table.Row(
      cells: [
        render.id.printable, render.state.rawValue, "\(Int(render.progress.rounded())) %",
        render.lastEvent?.rawValue ?? "", times.text(render.updatedAt),
        "\(render.run)/\(render.attempt)",
        (render.error ?? render.videoURL ?? render.renderID ?? "").printable,
      ],
      styles: [0: .bold, 1: Paint.Style(state: render.state.rawValue)]
    )
  }
}
