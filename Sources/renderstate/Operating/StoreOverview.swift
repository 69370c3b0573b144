internal import JSON
internal import RenderModel
internal import RenderProtocol
internal import RenderStore
internal import Sidecar

/// What is in a store, at one moment.
struct StoreOverview: Sendable {
  let path: String
  let figures: StoreFigures
  /// The active render whose last event is the longest ago.
  let oldestActive: Render?

  init(of store: RenderStore) throws(StoreError) {
    path = store.path
    (figures, oldestActive) = try StoreFigures.reading(store)
  }

  func lines(_ presentation: Presentation) -> [String] {
    let paint = presentation.paint
    let counts: [(state: State, count: Int64)] = [
      (.queued, figures.renders.queued), (.rendering, figures.renders.rendering),
      (.completed, figures.renders.completed), (.failed, figures.renders.failed),
    ]
    let width = (counts.map(\.count) + [figures.seq]).map { grouped($0).count }.max() ?? 0
    func number(_ number: Int64, _ style: Paint.Style) -> String {
      paint(grouped(number).paddedLeft(to: width), number > 0 ? style : .dim)
    }
    let renders = counts.map { state, count in
      (state.rawValue, number(count, Paint.Style(state: state.rawValue)))
    }
    let log = figures.walBytes > 0 ? ", write-ahead log \(size(ofBytes: figures.walBytes))" : ""
    let rows =
      renders + [
        ("changes", number(figures.seq, .plain)),
        ("size", size(ofBytes: figures.bytes) + log),
        ("oldest active", oldestActive.map { oldest($0, presentation.times) } ?? "none"),
        ("SQLite", figures.sqliteVersion),
      ]
    return [paint(path.printable, .bold)]
      + rows.map { "  " + paint($0.padded(to: 13), .dim) + "  " + $1 }
  }

  private func oldest(_ render: Render, _ times: TimeForm) -> String {
    "\(render.id.printable), \(render.state.rawValue), last event \(times.text(render.updatedAt))"
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    figures.writeMembers(to: &writer)
    writer.key("oldestActive")
    if let oldestActive { Status(oldestActive).write(to: &writer) } else { writer.null() }
    writer.endObject()
  }
}
