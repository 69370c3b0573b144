import Testing

@testable import RenderModel

@Suite("The machine")
struct MachineTests {
  /// The seven rows of the contract, word for word.
  private static let contract = """
    idle | start | queued
    queued | progress | rendering
    queued | fail, cancel | failed
    rendering | progress | rendering
    rendering | complete | completed
    rendering | fail, cancel | failed
    failed | start | queued
    """

  @Test("the table has the contract's rows, in its order, and no others")
  func contractRows() {
    let rows = Self.contract.split(separator: "\n").flatMap { line in
      let columns = line.split(separator: "|").map { $0.filter { $0 != " " } }
      return columns[1].split(separator: ",").map { "\(columns[0]) \($0) \(columns[2])" }
    }
    #expect(Machine.table.map { "\($0.from) \($0.event) \($0.to)" } == rows)
  }

  @Test("states and events come in the contract's order")
  func order() {
    #expect(
      State.allCases.map(\.rawValue) == ["idle", "queued", "rendering", "completed", "failed"]
    )
    #expect(Event.allCases.map(\.rawValue) == ["start", "progress", "complete", "fail", "cancel"])
  }

  @Test(
    "an event is accepted where the table has a row, and is refused with state and event elsewhere",
    arguments: State.allCases,
    Event.allCases
  )
  func pair(state: State, event: Event) throws {
    var story = try Story(in: state)
    let before = story.render
    let rows = Machine.table.filter { $0.from == state && $0.event == event }
    guard let row = rows.first else {
      #expect(
        story.refusal(.event(event)) == .invalidTransition(event: event, state: state)
      )
      #expect(!Machine.events(in: state).contains(event))
      return
    }
    #expect(rows.count == 1)
    try story.take(event)
    #expect(story.render.state == row.to)
    #expect(story.render.lastEvent == event)
    #expect(story.render.version == before.version + 1)
    #expect(story.log.last?.previousState == state)
    #expect(story.log.last?.state == row.to)
    #expect(story.log.last?.event == event)
    #expect(Machine.events(in: state).contains(event))
  }

  @Test("the events of a state come in the order of the events")
  func eventsOfState() {
    #expect(Machine.events(in: .idle) == [.start])
    #expect(Machine.events(in: .queued) == [.progress, .fail, .cancel])
    #expect(Machine.events(in: .rendering) == [.progress, .complete, .fail, .cancel])
    #expect(Machine.events(in: .completed) == [])
    #expect(Machine.events(in: .failed) == [.start])
  }

  @Test("completed and failed are terminal, queued and rendering are active")
  func kinds() {
    #expect(State.allCases.filter(\.isTerminal) == [.completed, .failed])
    #expect(State.allCases.filter(\.isActive) == [.queued, .rendering])
  }

  @Test("processingStatus is the legacy column's value")
  func processingStatus() {
    #expect(
      State.allCases.map(\.processingStatus)
        == [nil, "generating_video", "generating_video", "completed", "failed"]
    )
  }

  @Test("regenerate queues the next run from a terminal state, and is a start from idle")
  func regenerate() throws {
    for state in [State.completed, .failed] {
      var story = try Story(in: state)
      try story.accept(.regenerate)
      #expect(story.render.state == .queued)
      #expect((story.render.run, story.render.attempt) == (2, 1))
      #expect(story.log.last?.previousState == .idle)
      #expect(story.log.last?.event == .start)
    }
    var story = Story()
    try story.accept(.regenerate)
    #expect((story.render.run, story.render.attempt, story.render.version) == (1, 1, 1))
    #expect(story.render.createdAt == Story.noon)
    #expect(story.log.last?.previousState == .idle)
  }

  @Test(
    "regenerate from an active state is refused as a start",
    arguments: [State.queued, .rendering]
  )
  func regenerateActive(state: State) throws {
    let story = try Story(in: state)
    #expect(story.refusal(.regenerate) == .invalidTransition(event: .start, state: state))
  }

  @Test("the names of actions are read back as they are written")
  func actionNames() {
    let actions = Event.allCases.map(Command.Action.event) + [.regenerate]
    for action in actions { #expect(Command.Action(name: action.name) == action) }
    #expect(Command.Action(name: "Start") == nil)
    #expect(Command.Action(name: "") == nil)
  }
}
