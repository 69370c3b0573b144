internal import Foundation
internal import JSON
internal import RenderModel
internal import RenderProtocol

/// A line for each change, for files, pipes and terminals that cannot move the cursor.
struct WatchText: WatchScreen {
  let output: CommandOutput
  let form: WatchLine.Form

  func begin(with renders: [Render]) throws {
    try output.print(renders.map { WatchLine($0).text(form) })
  }

  func show(_ changes: [(change: Change, isNews: Bool)]) throws {
    try output.print(changes.filter(\.isNews).map { WatchLine($0.change).text(form) })
  }

  func settle() {}
}

/// An object for each change.
struct WatchJSON: WatchScreen {
  let output: CommandOutput

  func begin(with renders: [Render]) throws {
    try output.print(json: renders) { Status($0).write(to: &$1) }
  }

  func show(_ changes: [(change: Change, isNews: Bool)]) throws {
    try output.print(json: changes.filter(\.isNews)) { $1.change($0.change) }
  }

  func settle() {}
}

/// A line of what happens: when, to which render, and what.
struct WatchLine {
  struct Form {
    let paint: Paint
    let hasDate: Bool
    let idWidth: Int
  }

  /// Where it is not known which ids there will be.
  static let usualIDWidth = 20

  private let at: Timestamp?
  private let id: String
  private let state: State
  private let states: String
  private let progress: Double
  private let details: [String]

  init(_ change: Change) {
    at = change.at
    id = change.id
    state = change.state
    let isStep = change.previousState == change.state
    states = (isStep ? "" : "\(change.previousState.rawValue) → ") + change.state.rawValue
    progress = change.progress
    details = [change.actor ?? "", change.carried]
  }

  /// A render as it is.
  init(_ render: Render) {
    at = render.version > 0 ? render.updatedAt : nil
    id = render.id
    state = render.state
    states = render.state.rawValue
    progress = render.progress
    details = [render.error ?? render.videoURL ?? ""]
  }

  func text(_ form: Form, width: Int? = nil) -> String {
    let time = at.map { form.hasDate ? $0.iso8601 : String($0.iso8601.dropFirst(11).prefix(8)) }
    let cells: [(text: String, style: Paint.Style)] = [
      ((time ?? "").padded(to: form.hasDate ? 24 : 8), .dim),
      (id.printable.padded(to: form.idWidth), .bold),
      (states.padded(to: 21), Paint.Style(state: state.rawValue)),
      ("\(Int(progress.rounded())) %".paddedLeft(to: 5), .plain),
      (details.filter { !$0.isEmpty }.map(\.printable).joined(separator: "  "), .plain),
    ]
    var room = width ?? .max
    var parts: [String] = []
    for cell in cells where room > 0 && !cell.text.isEmpty {
      let text = cell.text.cut(to: room)
      room -= text.columns + 2
      parts.append(form.paint(text, cell.style))
    }
    return parts.joined(separator: "  ")
  }
}

extension Change {
  /// What its event is about, where the states do not tell it.
  fileprivate var carried: String {
    [error, videoURL, event == .progress || event == .start ? renderID : nil]
      .compactMap { $0 }.joined(separator: "  ")
  }
}
