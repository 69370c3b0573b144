import JSON
import RenderModel
import Support
import Testing

@Suite("The watchdog")
struct WatchdogTests {
  private let clock = ManualClock()
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func sidecar(
    queued: Int64? = nil,
    stall: Int64? = nil,
    total: Int64? = nil
  ) throws -> MemorySidecar {
    let timeouts = Timeouts(queued: queued, stall: stall, total: total)
    return try MemorySidecar(folder, clock: clock, defaultTimeouts: timeouts)
  }

  /// Waits for the next change told that is the watchdog's; its error.
  private func failure(_ sidecar: MemorySidecar) throws -> String? {
    while true {
      let change = try #require(try sidecar.notification()["change"])
      guard change["actor"]?.string == "watchdog" else { continue }
      #expect(change["event"]?.string == "fail")
      #expect(change["state"]?.string == "failed")
      return change["error"]?.string
    }
  }

  /// Lets the sidecar look at its clock, and expects that nothing falls.
  private func expectNothing(_ sidecar: MemorySidecar, id: String = "a") throws {
    // What one request does comes after the look that followed the one before.
    for _ in 0..<3 { try sidecar.result("ping") }
    let status = try sidecar.result("getStatus", #"{"id":"\#(id)"}"#)
    #expect(status["state"]?.string != "failed")
  }

  @Test("a queued render falls when its time is up, and not before; the error names the limit")
  func queued() throws {
    let sidecar = try sidecar()
    _ = try sidecar.subscribe()
    try sidecar.transition("a", "start", #""timeouts":{"queuedMs":5000}"#)
    clock.advance(milliseconds: 4_999)
    try expectNothing(sidecar)
    clock.advance(milliseconds: 1)
    let error = try #require(try failure(sidecar))
    #expect(error.contains("queuedMs"))
    #expect(error.contains("5000"))
    let status = try sidecar.result("getStatus", #"{"id":"a"}"#)
    #expect(status["lastEvent"]?.string == "fail")
    #expect(status["updatedAt"]?.string == "2026-11-22T12:00:05.000Z")
  }

  @Test("a rendering one falls when no event has come, counted from the last")
  func stall() throws {
    let sidecar = try sidecar(queued: 1_000)
    _ = try sidecar.subscribe()
    try sidecar.transition("a", "start", #""timeouts":{"stallMs":3000}"#)
    clock.advance(milliseconds: 999)
    try sidecar.transition("a", "progress")
    clock.advance(milliseconds: 2_999)
    try sidecar.transition("a", "progress")
    clock.advance(milliseconds: 2_999)
    try expectNothing(sidecar)
    clock.advance(milliseconds: 1)
    let error = try #require(try failure(sidecar))
    #expect(error.contains("stallMs") && error.contains("3000"))
  }

  @Test("an attempt falls when it is too old, whatever happens in it")
  func total() throws {
    let sidecar = try sidecar(stall: 60_000, total: 10_000)
    _ = try sidecar.subscribe()
    try sidecar.transition("a", "start")
    for _ in 0..<9 {
      clock.advance(milliseconds: 1_000)
      try sidecar.transition("a", "progress")
    }
    try expectNothing(sidecar)
    clock.advance(milliseconds: 1_000)
    let error = try #require(try failure(sidecar))
    #expect(error.contains("totalMs") && error.contains("10000"))
  }

  @Test("of several limits the first that falls is named")
  func first() throws {
    let sidecar = try sidecar(queued: 5_000, stall: 2_000, total: 6_000)
    _ = try sidecar.subscribe()
    try sidecar.transition("a", "start")
    clock.advance(milliseconds: 4_500)
    try sidecar.transition("a", "progress")
    clock.advance(milliseconds: 1_500)
    #expect(try #require(try failure(sidecar)).contains("totalMs"))
    try sidecar.transition("a", "start")
    try sidecar.transition("a", "progress")
    clock.advance(milliseconds: 2_000)
    #expect(try #require(try failure(sidecar)).contains("stallMs"))
    try sidecar.transition("a", "start")
    clock.advance(milliseconds: 9_000)
    #expect(try #require(try failure(sidecar)).contains("queuedMs"))
  }

  @Test("0 switches a limit off, and a start has the flags' where it names none")
  func off() throws {
    let sidecar = try sidecar(queued: 1_000, total: 100_000)
    _ = try sidecar.subscribe()
    try sidecar.transition("a", "start", #""timeouts":{"queuedMs":0}"#)
    clock.advance(milliseconds: 99_999)
    try expectNothing(sidecar)
    clock.advance(milliseconds: 1)
    #expect(try #require(try failure(sidecar)).contains("totalMs"))
    let all = #""timeouts":{"queuedMs":0,"stallMs":0,"totalMs":0}"#
    try sidecar.transition("a", "start", all)
    clock.advance(milliseconds: 1_000_000_000)
    try expectNothing(sidecar)
  }

  @Test("a new attempt and a new run have limits of their own")
  func reset() throws {
    let sidecar = try sidecar()
    _ = try sidecar.subscribe()
    try sidecar.transition("a", "start", #""timeouts":{"totalMs":1000}"#)
    clock.advance(milliseconds: 600)
    try sidecar.transition("a", "cancel")
    let again = #"{"id":"a","timeouts":{"totalMs":1000}}"#
    try sidecar.result("regenerate", again)
    clock.advance(milliseconds: 999)
    try expectNothing(sidecar)
    clock.advance(milliseconds: 1)
    #expect(try #require(try failure(sidecar)).contains("totalMs"))
    // Without any, the last ones do not count.
    try sidecar.transition("a", "start")
    clock.advance(milliseconds: 5_000)
    try expectNothing(sidecar)
  }

  @Test("what has ended does not fall")
  func ended() throws {
    let sidecar = try sidecar(queued: 1_000, stall: 1_000, total: 1_000)
    for (id, event) in [("a", "complete"), ("b", "cancel")] {
      try sidecar.transition(id, "start")
      try sidecar.transition(id, "progress")
      try sidecar.transition(id, event)
    }
    try sidecar.transition("c", "start")
    _ = try sidecar.subscribe()
    clock.advance(milliseconds: 1_000)
    #expect(try sidecar.notification()["change", "id"]?.string == "c")
    #expect(try sidecar.stop().map(spelled) == ["s1 shutdown"])
  }

  @Test("deadlines live in the store: they fall in a later sidecar, which has other flags")
  func restart() throws {
    let first = try sidecar(queued: 1_000)
    try first.transition("a", "start")
    try first.crash()
    clock.advance(milliseconds: 50_000)
    let second = try sidecar(queued: 900_000)
    _ = try second.subscribe(#"{"afterSeq":1}"#)
    #expect(try #require(try failure(second)).contains("1000"))
  }

  /// A render of each clock, 5 s before its time is up.
  private func expectToFall(_ sidecar: MemorySidecar) throws {
    let timeouts = ["queuedMs", "stallMs", "totalMs"]
    for name in timeouts {
      try sidecar.transition(name, "start", #""timeouts":{"\#(name)":60000}"#)
      if name != "queuedMs" { try sidecar.transition(name, "progress") }
    }
    clock.advance(milliseconds: 55_000)
  }

  /// Expects that nothing falls before its time, and all when that is up.
  private func expectFall(_ sidecar: MemorySidecar) throws {
    clock.advance(milliseconds: 4_999)
    for id in ["queuedMs", "stallMs", "totalMs"] { try expectNothing(sidecar, id: id) }
    clock.advance(milliseconds: 1)
    let errors = try (0..<3).map { _ in try #require(try failure(sidecar)) }
    #expect(errors.allSatisfy { $0.contains("60000") })
    #expect(Set(errors.map { $0.split(separator: " ")[3] }) == ["queuedMs", "stallMs", "totalMs"])
  }

  static let settings: [Int64] = [86_400_000, -3_600_000, 1_000, -1_000, 5, -5]

  @Test("nothing falls early or late because the clock is set", arguments: settings)
  func clockSet(forward: Int64) throws {
    let sidecar = try sidecar()
    _ = try sidecar.subscribe()
    try expectToFall(sidecar)
    clock.set(forward: forward)
    try expectFall(sidecar)
  }

  @Test("nor if it is set while no sidecar runs, or while another one does", arguments: settings)
  func clockSetBetween(forward: Int64) throws {
    let first = try sidecar()
    try expectToFall(first)
    try first.crash()
    clock.set(forward: forward)
    let second = try sidecar()
    let third = try sidecar()
    try second.transition("other", "start")
    _ = try third.subscribe()
    try expectFall(third)
  }

  @Test("a stall counts from its last event by the clock as it is then, though set back")
  func eventAfterSettingBack() throws {
    let sidecar = try sidecar(stall: 10_000)
    _ = try sidecar.subscribe()
    try sidecar.transition("a", "start")
    try sidecar.transition("a", "progress")
    clock.set(forward: -3_600_000)
    clock.advance(milliseconds: 9_000)
    try sidecar.transition("a", "progress")
    clock.advance(milliseconds: 9_999)
    try expectNothing(sidecar)
    clock.advance(milliseconds: 1)
    #expect(try #require(try failure(sidecar)).contains("stallMs"))
  }

  @Test("after a new start of the machine the clock on the wall counts")
  func newBoot() throws {
    let first = try sidecar(total: 60_000)
    try first.transition("a", "start")
    try first.crash()
    let later = ManualClock(milliseconds: 1_795_348_800_000 + 60_000, boot: "another")
    let second = try MemorySidecar(folder, clock: later)
    _ = try second.subscribe(#"{"afterSeq":1}"#)
    #expect(try failure(second) != nil)
  }

  @Test("with two sidecars on one store each deadline falls exactly once")
  func twice() throws {
    let sidecars = try [sidecar(queued: 1_000), sidecar(queued: 1_000)]
    for index in 0..<20 { try sidecars[index % 2].transition("v\(index)", "start") }
    for sidecar in sidecars { _ = try sidecar.subscribe() }
    clock.advance(milliseconds: 1_000)
    for sidecar in sidecars {
      var failed: [String] = []
      for _ in 0..<20 {
        let change = try #require(try sidecar.notification()["change"])
        #expect(change["actor"]?.string == "watchdog")
        failed.append(change["id"]?.string ?? "")
      }
      #expect(Set(failed) == Set((0..<20).map { "v\($0)" }))
    }
    for sidecar in sidecars {
      #expect(try sidecar.result("stats")["store", "seq"] == .integer(40))
    }
  }

  @Test("deadlines that another sidecar's start brings are looked after when that one is gone")
  func survivor() throws {
    let survivor = try sidecar()
    _ = try survivor.subscribe()
    let other = try sidecar(queued: 1_000)
    try other.transition("a", "start")
    try other.crash()
    clock.advance(milliseconds: 1_000)
    #expect(try failure(survivor) != nil)
  }

  @Test("more than one commit's worth of deadlines falls")
  func many() throws {
    let sidecar = try sidecar(queued: 1_000)
    for index in 0..<1_200 {
      sidecar.post("transition", #"{"id":"v\#(index)","event":"start"}"#)
    }
    for id in 1...1_200 { _ = try sidecar.answer(to: Int64(id)) }
    _ = try sidecar.subscribe()
    clock.advance(milliseconds: 1_000)
    #expect(try sidecar.receive(1_200) == (1_201...2_400).map { "s1 \($0)" })
  }
}
