import JSON
import Support
import Testing

@testable import RenderModel

@Suite("Whatever commands come")
struct InvariantTests {
  private static let actions = Event.allCases.map(Command.Action.event) + [.regenerate]

  private func anyCommand(_ random: inout SplitMix64) throws -> Command {
    func maybe<Value>(_ value: @autoclosure () throws -> Value) rethrows -> Value? {
      random.below(3) == 0 ? try value() : nil
    }
    let number = random.below(5)
    let action = Self.actions[random.below(Self.actions.count)]
    var context = Context()
    context.renderID = maybe("r\(random.below(6))")
    context.bucketName = maybe("b\(number)")
    context.metadata = try maybe(
      try MetadataChange(spelled: "{\"k\(number)\":\(random.below(4) == 0 ? "null" : "\(number)")}")
    )
    switch action {
    case .event(.progress): context.progress = maybe(Double(random.below(1_001)) / 10)
    case .event(.complete): context.videoURL = maybe("https://v/\(number)")
    case .event(.fail), .event(.cancel): context.error = maybe("error \(number)")
    default: break
    }
    return Command(
      id: "video",
      action: action,
      context: context,
      expected: Expectations(
        version: random.below(12) == 0 ? Int64(random.below(20)) : nil,
        state: random.below(12) == 0 ? State.allCases[number] : nil,
        attempt: random.below(12) == 0 ? Int64(number) : nil
      ),
      idempotencyKey: random.below(6) == 0 ? "key \(random.below(8))" : nil,
      timeouts: Timeouts(queued: maybe(100), stall: maybe(50), total: maybe(300))
    )
  }

  @Test(
    "versions and numbers grow by one, and a refusal or a replay changes nothing",
    arguments: 0..<40
  )
  func steps(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var story = Story()
    for _ in 0..<250 {
      story.now = story.now.advanced(by: Int64(random.below(60)) - 15)
      let before = story.render
      let count = story.log.count
      let decision = try? story.apply(try anyCommand(&random))
      let after = story.render
      guard case .change = decision else {
        #expect(String(describing: before) == String(describing: after))
        #expect(story.log.count == count)
        continue
      }
      let change = try #require(story.log.last)
      #expect(after.version == before.version + 1)
      #expect(after.seq == before.seq + 1)
      #expect(after.updatedAt >= before.updatedAt)
      #expect(after.createdAt == (before.version == 0 ? after.updatedAt : before.createdAt))
      #expect((0...100).contains(after.progress))
      #expect((after.error != nil) == (after.state == .failed))
      #expect(after.videoURL == nil || after.state == .completed)
      #expect(after.state != .completed || after.progress == 100)
      #expect((after.deadline == nil) || after.state.isActive)
      #expect(Machine.row(from: change.previousState, event: change.event)?.to == after.state)
      switch (after.run - before.run, after.attempt - before.attempt) {
      case (0, 0):
        #expect(after.progress >= before.progress)
        #expect(after.renderID == before.renderID || before.renderID == nil)
        #expect(after.startedAt == before.startedAt)
        #expect(after.timeouts == before.timeouts)
        #expect(change.previousState == before.state)
      case (0, 1):
        #expect(before.state == .failed && after.state == .queued)
      default:
        #expect(after.run == before.run + 1 && after.attempt == 1 && !before.state.isActive)
        #expect(change.previousState == .idle)
      }
    }
    #expect(story.log.map(\.version) == Array(1...Int64(story.log.count)))
  }

  @Test("what the log says, read from its beginning, is the render", arguments: 100..<120)
  func replay(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var story = Story()
    for _ in 0..<200 {
      story.now = story.now.advanced(by: Int64(random.below(20)))
      _ = try? story.apply(try anyCommand(&random))
    }
    var metadata = Metadata.empty
    for change in story.log {
      guard let text = change.metadata else { continue }
      metadata = try #require(metadata.merging(try MetadataChange(spelled: text)))
    }
    let render = story.render
    #expect(render.metadata.text == metadata.text)
    guard let last = story.log.last else { return }
    #expect((render.state, render.lastEvent) == (last.state, last.event))
    #expect(render.progress == last.progress)
    #expect((render.renderID, render.bucketName) == (last.renderID, last.bucketName))
    #expect((render.videoURL, render.error) == (last.videoURL, last.error))
    #expect((render.run, render.attempt, render.version) == (last.run, last.attempt, last.version))
    #expect((render.seq, render.updatedAt) == (last.seq, last.at))
    #expect(render.createdAt == story.log.first?.at)
  }

  @Test("a renderId never serves two attempts", arguments: 200..<220)
  func fencing(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var story = Story()
    for _ in 0..<300 { _ = try? story.apply(try anyCommand(&random)) }
    var attempts: [String: Set<[Int64]>] = [:]
    for change in story.log {
      guard let name = change.renderID else { continue }
      attempts[name, default: []].insert([change.run, change.attempt])
    }
    for (name, attempts) in attempts { #expect(attempts.count == 1, "\(name)") }
  }
}
