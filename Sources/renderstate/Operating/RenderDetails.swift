internal import RenderModel

/// One render with all that is known of it, for people.
struct RenderDetails: Sendable {
  let render: Render
  /// The change that brought it where it is.
  let lastChange: Change?

  func lines(_ presentation: Presentation) -> [String] {
    let paint = presentation.paint
    let rows = rows(presentation.times)
    let width = rows.map(\.name.count).max() ?? 0
    return [paint(render.id.printable, .bold)]
      + rows.map { row in
        "  " + paint(row.name.padded(to: width), .dim) + "  " + paint(row.text.printable, row.style)
      }
  }

  private typealias Row = (name: String, text: String, style: Paint.Style)

  private func rows(_ times: TimeForm) -> [Row] {
    let isUnderWay = render.state == .rendering || render.state == .failed
    let state = render.state.rawValue + (isUnderWay ? ", \(render.progressText)" : "")
    var rows: [Row] = [("state", state, Paint.Style(state: render.state.rawValue))]
    func row(_ name: String, _ text: String?) {
      if let text { rows.append((name, text, .plain)) }
    }
    row("last event", lastEvent(times))
    row(
      "attempt",
      "\(render.attempt) of run \(render.run), started \(times.text(render.startedAt))"
    )
    row("created", times.text(render.createdAt))
    row(
      "deadline",
      render.deadline.map { "\(times.text($0.at)) (\($0.clock.rawValue) \($0.limit))" }
    )
    row("renderId", render.renderID)
    row("bucketName", render.bucketName)
    row("videoUrl", render.videoURL)
    row("error", render.error)
    row("metadata", render.metadata.text == Metadata.empty.text ? nil : render.metadata.text)
    row("version", "\(render.version), seq \(render.seq)")
    return rows
  }

  private func lastEvent(_ times: TimeForm) -> String {
    let event = render.lastEvent?.rawValue ?? ""
    let actor = lastChange?.actor.map { " by \($0)" } ?? ""
    return "\(event)\(actor), \(times.text(render.updatedAt))"
  }
}

extension Render {
  /// The progress to a tenth of a percent.
  var progressText: String {
    let tenths = (progress * 10).rounded() / 10
    return tenths == tenths.rounded() ? "\(Int(tenths)) %" : "\(tenths) %"
  }
}
