/// The one table of legal transitions, in the order of the contract.
///
/// The SQL triggers, `protocol/state-machine.json` and the clients' tables are compared with it by
/// tests.
public enum Machine {
  public struct Row: Sendable, Equatable {
    public let from: State
    public let event: Event
    public let to: State
  }

  public static let table: [Row] = [
    Row(from: .idle, event: .start, to: .queued),
    Row(from: .queued, event: .progress, to: .rendering),
    Row(from: .queued, event: .fail, to: .failed),
    Row(from: .queued, event: .cancel, to: .failed),
    Row(from: .rendering, event: .progress, to: .rendering),
    Row(from: .rendering, event: .complete, to: .completed),
    Row(from: .rendering, event: .fail, to: .failed),
    Row(from: .rendering, event: .cancel, to: .failed),
    Row(from: .failed, event: .start, to: .queued),
  ]

  /// The row of an event in a state, nil where the table has none.
  public static func row(from state: State, event: Event) -> Row? {
    table.first { $0.from == state && $0.event == event }
  }

  /// The events of a state's rows, in the order of `Event`.
  public static func events(in state: State) -> [Event] {
    Event.allCases.filter { row(from: state, event: $0) != nil }
  }
}
