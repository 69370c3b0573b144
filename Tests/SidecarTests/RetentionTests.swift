import JSON
import RenderModel
import RenderStore
import Support
import Synchronization
import Testing

@testable import Sidecar

@Suite("Retention")
struct RetentionTests {
  private let clock = ManualClock()
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func sidecar(finished: Int64? = nil, progress: Int64? = nil) throws -> MemorySidecar {
    let retention = Retention(finished: finished, progress: progress)
    return try MemorySidecar(folder, clock: clock, retention: retention)
  }

  private func status(_ id: String, _ sidecar: MemorySidecar) throws -> JSON {
    try sidecar.result("getStatus", #"{"id":"\#(id)"}"#)
  }

  private func versions(of id: String, _ sidecar: MemorySidecar) throws -> [Int64?] {
    let history = try sidecar.result("getHistory", #"{"id":"\#(id)"}"#)
    return history["changes"]?.array?.map { $0["version"]?.integer } ?? []
  }

  /// Asks until the answer is yes.
  private func waitUntil(_ what: String, _ condition: () throws -> Bool) throws {
    let isOver = Mutex(false)
    let giveUp: @Sendable () -> Void = { isOver.withLock { $0 = true } }
    try Patience.waiting(for: what, giveUp: giveUp) {
      while try !condition(), !isOver.withLock({ $0 }) {}
    }
  }

  // MARK: - By itself

  @Test("a sidecar removes what is older than it is to keep, by itself, and nothing else")
  func byItself() throws {
    let sidecar = try sidecar(finished: 10_000, progress: 5_000)
    for event in ["start", "progress", "progress", "fail"] { try sidecar.transition("old", event) }
    for event in ["start", "progress", "progress", "progress"] {
      try sidecar.transition("a", event)
    }
    clock.advance(milliseconds: 5_000)
    try waitUntil("the end of old progress") { try versions(of: "a", sidecar) == [1, 2, 4] }
    try waitUntil("the end of old progress") { try versions(of: "old", sidecar) == [1, 2, 4] }
    #expect(try status("old", sidecar)["state"]?.string == "failed")
    clock.advance(milliseconds: 5_000)
    try waitUntil("the end of the old render") {
      try status("old", sidecar)["state"]?.string == "idle"
    }
    #expect(try status("a", sidecar)["version"] == .integer(4))
    #expect(try sidecar.transition("old", "start")["version"] == .integer(5))
    #expect(try sidecar.stop() == [])
  }

  @Test("without being asked a sidecar removes nothing")
  func unasked() throws {
    #expect(RetentionKeeper(Retention()) == nil)
    let sidecar = try sidecar()
    for event in ["start", "progress", "progress", "fail"] { try sidecar.transition("a", event) }
    try sidecar.transition("b", "start")
    clock.advance(milliseconds: 366 * 86_400_000)
    for _ in 0..<3 { try sidecar.result("ping") }
    #expect(try versions(of: "a", sidecar) == [1, 2, 3, 4])
  }

  @Test("several sidecars share the work, and each finds what the others have left")
  func several() throws {
    let store = try RenderStore.inFolder(folder)
    for number in 0..<40 {
      try store.write { transaction throws(StoreError) in
        for event in [Event.start, .progress, .progress, .fail] {
          let command = Command(id: "video \(number)", action: .event(event))
          _ = try transaction.apply(command, at: clock.now())
        }
      }
    }
    clock.advance(milliseconds: 2_000)
    let sidecars = try (0..<3).map { _ in try sidecar(finished: 2_000, progress: 2_000) }
    try waitUntil("the end of all but one") {
      try store.counts().failed == 1
    }
    for sidecar in sidecars { try sidecar.stop() }
    #expect(try store.head() == 160)
  }

  // MARK: - Gaps

  /// Subscribes after a number, with a filter.
  private func gap(_ after: Int64, _ filter: String, _ sidecar: MemorySidecar) throws -> Bool? {
    try sidecar.result("subscribe", #"{"afterSeq":\#(after)\#(filter)}"#)["gap"]?.bool
  }

  private func prune(finished: Bool = false, progress: Bool = false) throws {
    let store = try RenderStore.inFolder(folder)
    let now = clock.now()
    let limits = PruningLimits(finished: finished ? now : nil, progress: progress ? now : nil)
    var pruning = try Pruning(store, limits)
    while try !pruning.step().isLast {}
  }

  @Test("who resumes where matching progress was pruned sees a gap, and others do not")
  func progressGap() throws {
    let sidecar = try sidecar()
    for event in ["start", "progress", "progress", "progress"] {
      try sidecar.transition("a", event)
    }
    for event in ["start", "progress"] { try sidecar.transition("b", event) }
    try prune(progress: true)
    #expect(try versions(of: "a", sidecar) == [1, 2, 4])
    #expect(try gap(2, "", sidecar) == true)
    #expect(try gap(0, #","ids":["b","a"]"#, sidecar) == true)
    #expect(try gap(2, #","states":["rendering","failed"]"#, sidecar) == true)
    #expect(try gap(3, "", sidecar) == false)
    #expect(try gap(0, #","ids":["b","never"]"#, sidecar) == false)
    #expect(try gap(0, #","states":["queued"]"#, sidecar) == false)
    #expect(try gap(0, #","ids":["a"],"states":["queued"]"#, sidecar) == false)
    #expect(try sidecar.result("subscribe")["gap"]?.bool == false)
  }

  @Test("with a gap nothing is replayed, the snapshot is the truth, and what follows is told")
  func afterGap() throws {
    let sidecar = try sidecar()
    for event in ["start", "progress", "complete"] { try sidecar.transition("a", event) }
    try sidecar.transition("b", "start")
    try prune(finished: true)
    let answer = try sidecar.result("subscribe", #"{"afterSeq":1,"ids":["a","b"]}"#)
    #expect(answer["gap"]?.bool == true)
    #expect(answer["seq"] == .integer(4))
    #expect(answer["statuses"]?.array?.map { $0["state"]?.string } == ["idle", "queued"])
    try sidecar.transition("a", "start")
    let told = try sidecar.notification()
    #expect(told["change", "seq"] == .integer(5))
    #expect(told["change", "version"] == .integer(4))
    #expect(told["change", "previousState"]?.string == "idle")
  }

  @Test("who resumes where a render was pruned sees a gap if one of its changes would have matched")
  func renderGap() throws {
    let sidecar = try sidecar()
    for event in ["start", "progress", "complete"] { try sidecar.transition("a", event) }
    try sidecar.transition("b", "start")
    try prune(finished: true)
    try sidecar.transition("a", "start")
    #expect(try gap(2, "", sidecar) == true)
    #expect(try gap(2, #","ids":["a"]"#, sidecar) == true)
    #expect(try gap(2, #","states":["completed"]"#, sidecar) == true)
    #expect(try gap(2, #","ids":["a"],"states":["completed"]"#, sidecar) == true)
    #expect(try gap(2, #","ids":["b"]"#, sidecar) == false)
    #expect(try gap(2, #","states":["rendering","failed"]"#, sidecar) == false)
    #expect(try gap(1, #","ids":["a"],"states":["queued"]"#, sidecar) == false)
    #expect(try gap(0, #","ids":["a"],"states":["queued"]"#, sidecar) == true)
    #expect(try gap(3, "", sidecar) == false)
  }
}
