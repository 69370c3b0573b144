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
    var rows: [Row] = [("state", render.stateText, Paint.Style(state: render.state.rawValue))]
    func row(_ name: String, _ text: String?) {
      if let text { rows.append((name, text, .plain)) }
    }
    row("possible", render.possible.joined(separator: ", "))
    guard render.version > 0 else { return rows }
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
  /// What can be sent to it now.
  var possible: [String] {
    let actions = Machine.events(in: state).map(Command.Action.event)
    return (actions + (state.isTerminal ? [.regenerate] : [])).map(\.name)
  }

  /// The state, with the progress to a tenth of a percent where the state does not tell it.
  var stateText: String {
    guard state == .rendering || state == .failed else { return state.rawValue }
    let tenths = (progress * 10).rounded() / 10
    let number = tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)"
    return "\(state.rawValue), \(number) %"
  }
}
