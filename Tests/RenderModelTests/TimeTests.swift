import Testing

@testable import RenderModel

@Suite("Deadlines")
struct DeadlineTests {
  private func story(_ timeouts: Timeouts) throws -> Story {
    var story = Story()
    try story.accept(.event(.start), timeouts: timeouts)
    return story
  }

  private func deadline(_ clock: Deadline.Clock, _ limit: Int64, at offset: Int64) -> Deadline {
    Deadline(at: Story.noon.advanced(by: offset), clock: clock, limit: limit)
  }

  @Test("a queued render fails after queuedMs, counted from its start")
  func queued() throws {
    let story = try story(Timeouts(queued: 1_000, stall: 10, total: nil))
    #expect(story.render.deadline == deadline(.queued, 1_000, at: 1_000))
  }

  @Test("a rendering one fails after stallMs, counted from the last event")
  func stall() throws {
    var story = try story(Timeouts(queued: 10, stall: 500, total: nil))
    for offset: Int64 in [100, 400] {
      story.now = Story.noon.advanced(by: offset)
      try story.take(.progress)
      #expect(story.render.deadline == deadline(.stall, 500, at: offset + 500))
    }
  }

  @Test("totalMs counts from the start, time in the queue included")
  func total() throws {
    var story = try story(Timeouts(queued: nil, stall: nil, total: 2_000))
    #expect(story.render.deadline == deadline(.total, 2_000, at: 2_000))
    story.now = Story.noon.advanced(by: 1_500)
    try story.take(.progress)
    #expect(story.render.deadline == deadline(.total, 2_000, at: 2_000))
  }

  @Test("the first of the clocks counts")
  func first() throws {
    var story = try story(Timeouts(queued: 1_000, stall: 1_000, total: 1_500))
    #expect(story.render.deadline?.clock == .queued)
    story.now = Story.noon.advanced(by: 100)
    try story.take(.progress)
    #expect(story.render.deadline == deadline(.stall, 1_000, at: 1_100))
    story.now = Story.noon.advanced(by: 900)
    try story.take(.progress)
    #expect(story.render.deadline == deadline(.total, 1_500, at: 1_500))
    #expect(
      try self.story(Timeouts(queued: 2_000, stall: nil, total: 1_000)).render.deadline?.clock
        == .total
    )
  }

  @Test(
    "a deadline is counted from the clock, though updatedAt stays behind the time it was set back from"
  )
  func clockSetBack() throws {
    var story = try story(Timeouts(queued: nil, stall: 500, total: nil))
    story.now = Story.noon.advanced(by: -60_000)
    try story.take(.progress)
    #expect(story.render.updatedAt == Story.noon)
    #expect(story.render.deadline == deadline(.stall, 500, at: -59_500))
  }

  @Test("whose a deadline is can be told from when it falls")
  func deadlineAtAMoment() throws {
    var story = try story(Timeouts(queued: 1_000, stall: 1_000, total: 1_500))
    let started = try #require(story.render.deadline)
    #expect(story.render.deadline(at: started.at) == started)
    try story.take(.progress)
    #expect(
      story.render.deadline(at: Story.noon.advanced(by: 1_300))
        == deadline(.stall, 1_000, at: 1_300)
    )
    #expect(
      story.render.deadline(at: Story.noon.advanced(by: 1_500))
        == deadline(.total, 1_500, at: 1_500)
    )
  }

  @Test("without clocks there is no deadline", arguments: [State.queued, .rendering])
  func off(state: State) throws {
    #expect(try Story(in: state).render.deadline == nil)
  }

  @Test("idle and ended renders have none, whatever their clocks")
  func ended() throws {
    let all = Timeouts(queued: 1, stall: 1, total: 1)
    var completed = try story(all)
    try completed.take(.progress, .complete)
    #expect(completed.render.deadline == nil)
    var failed = try story(all)
    try failed.take(.fail)
    #expect(failed.render.deadline == nil)
    var idle = Render.idle("video")
    idle.timeouts = all
    #expect(idle.deadline(afterEventAt: Story.noon) == nil)
  }

  @Test("a retry and a new run have clocks of their own")
  func retry() throws {
    var story = try story(Timeouts(queued: 1_000, stall: nil, total: nil))
    try story.take(.fail)
    story.now = Story.noon.advanced(by: 5_000)
    try story.accept(.event(.start), timeouts: Timeouts(queued: 300, stall: nil, total: nil))
    #expect(story.render.deadline == deadline(.queued, 300, at: 5_300))
    try story.take(.fail)
    try story.accept(.regenerate)
    #expect(story.render.deadline == nil)
  }

  @Test("only a start sets the clocks")
  func fixed() throws {
    var story = try story(Timeouts(queued: 1_000, stall: 2_000, total: 3_000))
    try story.accept(.event(.progress), timeouts: Timeouts(queued: 1, stall: 1, total: 1))
    #expect(story.render.timeouts == Timeouts(queued: 1_000, stall: 2_000, total: 3_000))
  }

  @Test("the error names the clock and its value")
  func error() {
    #expect(
      deadline(.queued, 1_000, at: 0).error
        == "Timed out by queuedMs 1000: still queued after 1000 ms"
    )
    #expect(
      deadline(.stall, 20, at: 0).error == "Timed out by stallMs 20: no event for 20 ms"
    )
    #expect(
      deadline(.total, 3, at: 0).error == "Timed out by totalMs 3: not finished within 3 ms"
    )
  }
}

@Suite("Leases")
struct LeaseTests {
  private let noon = Story.noon

  private func grant(
    to holder: String,
    for milliseconds: Int64 = 1_000,
    current: Lease?,
    at now: Timestamp
  ) -> Lease? {
    Lease.granting("poller", to: holder, milliseconds: milliseconds, current: current, at: now)
  }

  @Test("a lease never taken is granted with token 1")
  func firstTaking() throws {
    let lease = try #require(grant(to: "a", current: nil, at: noon))
    #expect((lease.name, lease.holder, lease.token) == ("poller", "a", 1))
    #expect(lease.expiresAt == noon.advanced(by: 1_000))
  }

  @Test("another's live lease is refused up to its last millisecond")
  func refused() {
    let current = grant(to: "a", current: nil, at: noon)
    #expect(grant(to: "b", current: current, at: noon.advanced(by: 999)) == nil)
    #expect(grant(to: "b", current: current, at: noon.advanced(by: 1_000))?.token == 2)
  }

  @Test("the holder's own live lease is renewed: same token, expiry set anew, shorter too")
  func renewed() throws {
    let current = grant(to: "a", current: nil, at: noon)
    let longer = try #require(grant(to: "a", current: current, at: noon.advanced(by: 500)))
    #expect(longer.token == 1)
    #expect(longer.expiresAt == noon.advanced(by: 1_500))
    let shorter = try #require(grant(to: "a", for: 1, current: longer, at: noon))
    #expect((shorter.token, shorter.expiresAt) == (1, noon.advanced(by: 1)))
  }

  @Test("an expired lease is taken with the next token, by its last holder too")
  func expired() {
    let current = grant(to: "a", current: nil, at: noon)
    #expect(grant(to: "a", current: current, at: noon.advanced(by: 1_000))?.token == 2)
  }

  @Test("a released lease is free at once, and the next taking has the next token")
  func released() throws {
    let current = try #require(grant(to: "a", current: nil, at: noon))
    #expect(current.isHeld(by: "a", at: noon))
    let released = current.released()
    #expect(!released.isHeld(by: "a", at: noon))
    #expect(grant(to: "b", current: released, at: noon)?.token == 2)
    #expect(grant(to: "a", current: released, at: noon)?.token == 2)
  }

  @Test("a released lease stays free though the clock goes back")
  func releasedAndClockBack() throws {
    let released = try #require(grant(to: "a", current: nil, at: noon)).released()
    let earlier = noon.advanced(by: -3_600_000)
    #expect(!released.isLive(at: earlier))
    #expect(grant(to: "b", current: released, at: earlier)?.token == 2)
  }

  @Test("only the holder of a live lease has it; holders are compared by their bytes")
  func held() throws {
    let lease = try #require(grant(to: "\u{e9}", current: nil, at: noon))
    #expect(lease.isHeld(by: "\u{e9}", at: noon))
    #expect(!lease.isHeld(by: "e\u{301}", at: noon))
    #expect(!lease.isHeld(by: "\u{e9}", at: lease.expiresAt))
    #expect(grant(to: "e\u{301}", current: lease, at: noon) == nil)
  }

  @Test("the token grows by one with every taking, never with a renewal")
  func tokens() {
    var current: Lease?
    var now = noon
    for token: Int64 in 1...5 {
      for _ in 0..<3 {
        current = grant(to: "holder \(token)", current: current, at: now)
        #expect(current?.token == token)
        now = now.advanced(by: 10)
      }
      now = now.advanced(by: 1_000)
    }
  }
}

@Suite("Timestamps")
struct TimestampTests {
  @Test("what is beyond the last moment is the last moment, and likewise the first")
  func saturation() {
    let last = Timestamp(milliseconds: .max)
    let first = Timestamp(milliseconds: .min)
    #expect(last.advanced(by: 1) == last)
    #expect(Timestamp(milliseconds: .max - 5).advanced(by: 5) == last)
    #expect(Timestamp(milliseconds: .max - 5).advanced(by: 6) == last)
    #expect(first.advanced(by: -1) == first)
    #expect(last.advanced(by: .min) == Timestamp(milliseconds: -1))
    #expect(Story.noon.advanced(by: .max) == last)
  }

  @Test("differences beyond what is countable are the largest there are")
  func differences() {
    let last = Timestamp(milliseconds: .max)
    let first = Timestamp(milliseconds: .min)
    let epoch = Timestamp(milliseconds: 0)
    #expect(last.milliseconds(since: first) == .max)
    #expect(first.milliseconds(since: last) == .min)
    #expect(epoch.milliseconds(since: first) == .max)
    #expect(last.milliseconds(since: epoch) == .max)
    #expect(Story.noon.advanced(by: 3).milliseconds(since: Story.noon) == 3)
    #expect(Story.noon.milliseconds(since: Story.noon.advanced(by: 3)) == -3)
  }

  @Test("earlier moments come first")
  func order() {
    #expect(Timestamp(milliseconds: -1) < Timestamp(milliseconds: 0))
    #expect(Timestamp(milliseconds: .min) < Timestamp(milliseconds: .max))
  }
}

@Suite("A clock that is set")
struct ClockSettingTests {
  private func setting(_ milliseconds: Int64, boot: String = "a") -> ClockSetting {
    let wall = Timestamp(milliseconds: milliseconds)
    return ClockReading(wall: wall, sinceBoot: 5_000, boot: boot).setting
  }

  @Test("is seen by how far it is from the time since the machine was started")
  func jump() {
    #expect(setting(9_000).jump(to: setting(9_000)) == 0)
    #expect(setting(9_000).jump(to: setting(3_609_000)) == 3_600_000)
    #expect(setting(9_000).jump(to: setting(-91_000)) == -100_000)
    let later = ClockReading(wall: Timestamp(milliseconds: 10_000), sinceBoot: 6_000, boot: "a")
    #expect(setting(9_000).jump(to: later.setting) == 0, "time that passes sets nothing")
  }

  @Test("is not seen where it may be the reading that took its time")
  func tolerance() {
    #expect(setting(9_000).jump(to: setting(9_004)) == 0)
    #expect(setting(9_000).jump(to: setting(9_005)) == 5)
    #expect(setting(9_000).jump(to: setting(8_995)) == -5)
  }

  @Test("cannot be told after a new start of the machine")
  func otherBoot() {
    #expect(setting(9_000).jump(to: setting(3_609_000, boot: "b")) == 0)
  }
}
