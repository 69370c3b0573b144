import JSON
import Testing

@testable import RenderModel

@Suite("Expectations")
struct ExpectationTests {
  @Test("an expectation that holds lets the command pass")
  func holds() throws {
    var story = try Story(in: .rendering)
    try story.accept(
      .event(.progress),
      expected: Expectations(version: 2, state: .rendering, attempt: 1)
    )
    var new = Story()
    try new.accept(.event(.start), expected: Expectations(version: 0, state: .idle, attempt: 0))
  }

  @Test("each expectation that does not hold is a conflict, and says what is so")
  func conflicts() throws {
    let story = try Story(in: .rendering)
    for (expected, reason) in [
      (Expectations(version: 1), "expected version 1, it is 2"),
      (Expectations(version: 3), "expected version 3, it is 2"),
      (Expectations(state: .queued), "expected state queued, it is rendering"),
      (Expectations(attempt: 0), "expected attempt 0, it is 1"),
      (Expectations(version: 2, state: .rendering, attempt: 2), "expected attempt 2, it is 1"),
    ] {
      #expect(story.refusal(.event(.progress), expected: expected) == .conflict(reason: reason))
    }
  }

  @Test("regenerate expects the state that is, not the one it begins with")
  func regenerate() throws {
    var story = try Story(in: .completed)
    #expect(story.refusal(.regenerate, expected: Expectations(state: .idle)) != nil)
    try story.accept(.regenerate, expected: Expectations(version: 3, state: .completed))
  }
}

@Suite("Idempotency")
struct IdempotencyTests {
  @Test("the same action with the same key replays the first answer, whatever else it says")
  func replay() throws {
    var story = try Story(in: .queued)
    try story.accept(.event(.progress), Context(progress: 10), key: "k")
    try story.take(.complete)
    let decision = try story.accept(
      .event(.progress),
      Context(renderID: "other", progress: 90),
      expected: Expectations(version: 99, state: .idle, attempt: 7),
      key: "k"
    )
    guard case .replay(let use) = decision else {
      Issue.record("not a replay: \(decision)")
      return
    }
    #expect((use.previousState, use.version, use.seq) == (.queued, 2, 2))
    #expect(story.render.version == 3)
    #expect(story.log.count == 3)
  }

  @Test("another event with the same key is refused, and so is the other method")
  func otherAction() throws {
    var story = Story()
    try story.accept(.event(.start), key: "k")
    for event in Event.allCases where event != .start {
      #expect(story.refusal(.event(event), key: "k") == .keyReused(before: "start"))
    }
    #expect(story.refusal(.regenerate, key: "k") == .keyReused(before: "start"))
    try story.take(.fail)
    try story.accept(.regenerate, key: "r")
    #expect(story.refusal(.event(.start), key: "r") == .keyReused(before: "regenerate"))
    guard case .replay = try story.accept(.regenerate, key: "r") else {
      Issue.record("regenerate was not replayed")
      return
    }
  }

  @Test("a refused command leaves its key free")
  func refusedKey() throws {
    var story = try Story(in: .queued)
    #expect(story.refusal(.event(.complete), key: "k") != nil)
    try story.accept(.event(.progress), key: "k")
  }

  @Test("keys that differ in bytes are different keys")
  func exactKeys() throws {
    var story = try Story(in: .queued)
    try story.accept(.event(.progress), key: "\u{e9}")
    guard case .change = try story.accept(.event(.progress), key: "e\u{301}") else {
      Issue.record("another key was taken for the first one")
      return
    }
  }
}

@Suite("Fencing")
struct FencingTests {
  /// What the current attempt's renderId is when a command names one.
  enum Current: CaseIterable {
    case null
    case named
  }

  /// Which renderId the command names.
  enum Named: CaseIterable {
    case current
    case new
    case usedBefore
  }

  /// Attempt 1 was `old`; attempt 2 is under way or over.
  private func story(_ current: Current, in state: State) throws -> Story {
    var story = Story()
    try story.accept(.event(.start), Context(renderID: "old"))
    try story.take(.fail)
    try story.accept(
      .event(.start),
      Context(renderID: current == .named ? "current" : nil)
    )
    switch state {
    case .idle, .queued: break
    case .rendering: try story.take(.progress)
    case .completed: try story.take(.progress, .complete)
    case .failed: try story.take(.fail)
    }
    return story
  }

  @Test(
    "with progress, complete, fail and cancel only the attempt's own renderId passes",
    arguments: Current.allCases,
    Named.allCases
  )
  func reports(current: Current, named: Named) throws {
    for event in [Event.progress, .complete, .fail, .cancel] {
      for state in [State.queued, .rendering, .completed, .failed] {
        let story = try story(current, in: state)
        let name: String
        switch named {
        case .current: name = current == .named ? "current" : "new"
        case .new: name = "new"
        case .usedBefore: name = "old"
        }
        let passes = current == .named ? name == "current" : name == "new"
        let refusal = story.refusal(.event(event), Context(renderID: name))
        if !passes {
          #expect(refusal == .staleRender(renderID: name), "\(event) in \(state)")
        } else if Machine.row(from: state, event: event) == nil {
          #expect(refusal == .invalidTransition(event: event, state: state))
        } else {
          #expect(refusal == nil, "\(event) in \(state)")
        }
      }
    }
  }

  @Test(
    "start and regenerate refuse every renderId the id ever had, the current one too",
    arguments: Current.allCases
  )
  func starts(current: Current) throws {
    for action: Command.Action in [.event(.start), .regenerate] {
      for state in [State.queued, .failed] {
        let story = try story(current, in: state)
        let used = current == .named ? ["old", "current"] : ["old"]
        for name in used {
          #expect(
            story.refusal(action, Context(renderID: name)) == .staleRender(renderID: name)
          )
        }
        #expect(
          story.refusal(action, Context(renderID: "new"))
            == (state == .failed ? nil : .invalidTransition(event: .start, state: state))
        )
      }
    }
  }

  @Test("regenerate from completed refuses the run's own renderId")
  func regenerateCompleted() throws {
    let story = try story(.named, in: .completed)
    #expect(
      story.refusal(.regenerate, Context(renderID: "current"))
        == .staleRender(renderID: "current")
    )
    #expect(story.refusal(.regenerate, Context(renderID: "new")) == nil)
  }

  @Test("a late report of an earlier run is refused in every later one")
  func earlierRun() throws {
    var story = try Story(in: .rendering)
    try story.accept(.event(.complete), Context(renderID: "first"))
    try story.accept(.regenerate)
    for event in [Event.progress, .complete, .fail, .cancel] {
      #expect(
        story.refusal(.event(event), Context(renderID: "first"))
          == .staleRender(renderID: "first")
      )
    }
    try story.accept(.event(.progress), Context(renderID: "second"))
    #expect(
      story.refusal(.event(.complete), Context(renderID: "first"))
        == .staleRender(renderID: "first")
    )
    try story.accept(.event(.complete), Context(renderID: "second"))
  }

  @Test("an event that names no renderId passes the fence")
  func unnamed() throws {
    for current in Current.allCases {
      #expect(try story(current, in: .rendering).refusal(.event(.complete)) == nil)
    }
  }

  @Test("renderIds are compared by their bytes")
  func exact() throws {
    var story = Story()
    try story.accept(.event(.start), Context(renderID: "\u{e9}"))
    #expect(
      story.refusal(.event(.progress), Context(renderID: "e\u{301}"))
        == .staleRender(renderID: "e\u{301}")
    )
    try story.accept(.event(.progress), Context(renderID: "\u{e9}"))
  }

  @Test("a refused command does not take the renderId it named")
  func refusedName() throws {
    var story = try Story(in: .queued)
    #expect(story.refusal(.event(.complete), Context(renderID: "r")) != nil)
    try story.accept(.event(.progress), Context(renderID: "r"))
  }
}

@Suite("The order of the checks")
struct CheckOrderTests {
  @Test("idempotency, expectations, fencing, table, size: the first that fails answers")
  func order() throws {
    var story = Story()
    try story.accept(.event(.start), Context(renderID: "old"), key: "k")
    try story.take(.fail, .start)
    let long = String(repeating: "x", count: Metadata.maximumBytes)
    let tooLarge = try MetadataChange(spelled: "{\"a\":\"\(long)\"}")
    var context = Context(renderID: "old", metadata: tooLarge)
    let wrong = Expectations(version: 99)
    #expect(
      story.refusal(.event(.complete), context, expected: wrong, key: "k")
        == .keyReused(before: "start")
    )
    #expect(
      story.refusal(.event(.complete), context, expected: wrong, key: "new")
        == .conflict(reason: "expected version 99, it is 3")
    )
    #expect(story.refusal(.event(.complete), context) == .staleRender(renderID: "old"))
    context.renderID = nil
    #expect(
      story.refusal(.event(.complete), context)
        == .invalidTransition(event: .complete, state: .queued)
    )
    #expect(story.refusal(.event(.progress), context) == .metadataTooLarge)
  }

  @Test("of the expectations, version comes first, then state, then attempt")
  func expectations() throws {
    let story = try Story(in: .queued)
    var expected = Expectations(version: 9, state: .failed, attempt: 9)
    #expect(
      story.refusal(.event(.progress), expected: expected)
        == .conflict(reason: "expected version 9, it is 1")
    )
    expected.version = nil
    #expect(
      story.refusal(.event(.progress), expected: expected)
        == .conflict(reason: "expected state failed, it is queued")
    )
    expected.state = nil
    #expect(
      story.refusal(.event(.progress), expected: expected)
        == .conflict(reason: "expected attempt 9, it is 1")
    )
  }
}
