internal import JSON
internal import RenderModel

/// The machine's table, drawn.
struct MachineDiagram {
  private let states = State.allCases
  private let initial = State.idle

  func lines(_ format: DiagramFormat) -> [String] {
    switch format {
    case .mermaid: mermaid
    case .dot: dot
    case .ascii: ascii
    case .scxml: scxml
    case .xstate: [xstate]
    }
  }

  /// What leads from one state to another.
  private struct Arrow {
    let from: State
    let to: State
    var events: [Event]

    var label: String { events.map(\.rawValue).joined(separator: ", ") }
  }

  /// Rows between the same two states are one arrow.
  private var arrows: [Arrow] {
    Machine.table.reduce(into: []) { arrows, row in
      if let last = arrows.last, last.from == row.from, last.to == row.to {
        arrows[arrows.count - 1].events.append(row.event)
      } else {
        arrows.append(Arrow(from: row.from, to: row.to, events: [row.event]))
      }
    }
  }

  private func isFinal(_ state: State) -> Bool {
    Machine.events(in: state).isEmpty
  }

  // MARK: - Pictures

  private var mermaid: [String] {
    ["stateDiagram-v2", "  direction LR", "  [*] --> \(initial)"]
      + arrows.map { "  \($0.from) --> \($0.to): \($0.label)" }
      + states.filter(isFinal).map { "  \($0) --> [*]" }
  }

  private var dot: [String] {
    let shapes = states.map { state in
      "  \(state) [shape=\(isFinal(state) ? "doublecircle" : "ellipse")]"
    }
    return ["digraph renderstate {", "  rankdir=LR", "  begin [shape=point]"] + shapes
      + ["  begin -> \(initial)"]
      + arrows.map { "  \($0.from) -> \($0.to) [label=\"\($0.label)\"]" } + ["}"]
  }

  private var ascii: [String] {
    let width = arrows.map(\.label.count).max() ?? 0
    return states.flatMap { state in
      let own = arrows.filter { $0.from == state }
      return ["\(state)\(isFinal(state) ? " (the end)" : "")"]
        + own.map { arrow in
          let shaft = String(repeating: "-", count: width - arrow.label.count + 3)
          return "  \(arrow.label) \(shaft)> \(arrow.to)"
        }
    }
  }

  // MARK: - Machines

  private var scxml: [String] {
    let elements = states.flatMap { state in
      guard !isFinal(state) else { return ["  <final id=\"\(state)\"/>"] }
      let rows = Machine.table.filter { $0.from == state }
      return ["  <state id=\"\(state)\">"]
        + rows.map { "    <transition event=\"\($0.event)\" target=\"\($0.to)\"/>" } + [
          "  </state>"
        ]
    }
    return [
      #"<?xml version="1.0" encoding="UTF-8"?>"#,
      #"<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" initial="\#(initial)">"#,
    ] + elements + ["</scxml>"]
  }

  private var xstate: String {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("id", .string("render"))
    writer.member("initial", .string(initial.rawValue))
    writer.key("states")
    writer.beginObject()
    for state in states {
      writer.key(escaping: state.rawValue)
      writer.beginObject()
      if isFinal(state) { writer.member("type", .string("final")) }
      if state.isActive || state.isTerminal {
        writer.member("tags", .array([.string(state.isActive ? "active" : "terminal")]))
      }
      let status = state.processingStatus.map(JSON.string) ?? .null
      writer.member("meta", .object(JSONObject(["processingStatus": status])))
      if !isFinal(state) {
        writer.key("on")
        writer.beginObject()
        for row in Machine.table where row.from == state {
          let target = JSONObject(["target": .string(row.to.rawValue)])
          writer.member(row.event.rawValue, .object(target))
        }
        writer.endObject()
      }
      writer.endObject()
    }
    writer.endObject()
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
