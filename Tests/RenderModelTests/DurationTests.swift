import Testing

@testable import RenderModel

@Suite("Durations")
struct DurationTests {
  /// What is counted of a render that goes through events, each so many milliseconds after the one before.
  private func measured(_ steps: [(event: Event, after: Int64)], actor: String? = nil) throws
    -> Durations
  {
    var story = Story()
    var durations = Durations()
    for step in steps {
      let started = story.render.startedAt
      story.now = story.now.advanced(by: step.after)
      try story.apply(Command(id: "video", action: .event(step.event), actor: actor))
      durations.measure(try #require(story.log.last), since: started, at: story.now)
    }
    return durations
  }

  private func totals(_ durations: Durations) -> [AttemptDuration: [Int64]] {
    durations.histograms.mapValues { [$0.count, $0.totalMilliseconds] }
  }

  @Test("the queue is measured to the first progress, and an attempt from its start to its end")
  func completed() throws {
    let durations = try measured([
      (.start, 5), (.progress, 300), (.progress, 40), (.complete, 60_000),
    ])
    #expect(totals(durations) == [.queue: [1, 300], .completed: [1, 60_340]])
  }

  @Test("each attempt counts for itself, by what it came to")
  func attempts() throws {
    let durations = try measured(
      [(.start, 0), (.cancel, 7), (.start, 1_000), (.progress, 10), (.fail, 20), (.start, 0)]
    )
    #expect(totals(durations) == [.queue: [2, 17], .cancelled: [1, 7], .failed: [1, 30]])
  }

  @Test("what a deadline ends has timed out")
  func timedOut() throws {
    let durations = try measured([(.start, 0), (.fail, 9)], actor: Change.watchdog)
    #expect(totals(durations) == [.queue: [1, 9], .timedOut: [1, 9]])
  }

  @Test("a new run ends nothing")
  func regenerate() throws {
    var story = try Story(in: .completed)
    let started = story.render.startedAt
    try story.apply(Command(id: "video", action: .regenerate))
    var durations = Durations()
    durations.measure(try #require(story.log.last), since: started, at: story.now)
    #expect(durations.histograms.isEmpty)
  }

  @Test("a bucket holds what took up to its bound, and the last one what took longer than all")
  func buckets() {
    var histogram = Histogram()
    for milliseconds: Int64 in [0, 100, 101, 250, 10_800_000, 10_800_001, .max] {
      histogram.add(milliseconds, count: 1, totalMilliseconds: 1)
    }
    #expect(histogram.buckets.map(\.count) == [2, 2] + Array(repeating: 0, count: 12) + [1, 2])
    #expect(histogram.buckets.map(\.bound) == Histogram.bounds + [nil])
    #expect(histogram.count == 7)
    #expect(Histogram.bounds == Histogram.bounds.sorted())
  }
}
