import Foundation
import Glibc
import RenderModel
import Support
import Testing

@testable import RenderStore

@Suite("The writer's gate")
struct GateTests {
  private let folder: TemporaryFolder
  private var lock: String { folder.database + ".lock" }

  init() throws {
    folder = try TemporaryFolder()
  }

  // MARK: - Exclusion

  @Test("never are two behind the gate, however many wait")
  func exclusion() throws {
    let inside = Counter()
    let overlaps = Counter()
    let lock = lock
    let companions = (0..<4).map { _ in
      Companion { () -> Int in
        guard let gate = try? Gate(path: lock) else { return 0 }
        var turns = 0
        for _ in 0..<150 where gate.isEntered(until: inAnHour) {
          if inside.add(1) != 1 { overlaps.add(1) }
          sched_yield()
          inside.add(-1)
          gate.leave()
          turns += 1
        }
        return turns
      }
    }
    #expect(companions.map { $0.outcome() } == [150, 150, 150, 150])
    #expect(overlaps.value == 0)
  }

  @Test("two stores that write to one render in two threads lose no change")
  func twoStores() throws {
    let path = folder.database
    let first = try RenderStore.open(path)
    try first.apply(Command(id: "video", action: .event(.start)), at: Bench.noon)
    let inside = Counter()
    let companions = (0..<2).map { _ in
      Companion { () -> [Int64] in
        guard let store = try? RenderStore.open(path) else { return [] }
        var versions: [Int64] = []
        for _ in 0..<200 {
          let change = try? store.write { transaction throws(StoreError) in
            let isAlone = inside.add(1) == 1
            defer { inside.add(-1) }
            let command = Command(id: "video", action: .event(.progress))
            let outcome = try transaction.apply(command, at: Bench.noon)
            return isAlone ? outcome.change : nil
          }
          if let version = change?.version { versions.append(version) }
          store.checkpointIfDue()
        }
        return versions
      }
    }
    let versions = try companions.map { try #require($0.outcome()) }
    #expect(versions.allSatisfy { $0.count == 200 && $0 == $0.sorted() })
    #expect(versions.flatMap { $0 }.sorted() == Array(2...401))
    #expect(try first.render("video").version == 401)
    #expect(try first.log().map(\.version) == Array(1...401))
  }

  // MARK: - Fairness

  @Test("who waits gets in before who had it gets in again")
  func fairness() throws {
    let busy = try Gate(path: lock)
    let turns = Counter()
    #expect(busy.enterIfFree())
    for round in 1...40 {
      let waiting = Companion { [lock] () -> Bool in
        guard let gate = try? Gate(path: lock) else { return false }
        defer { gate.leave() }
        guard gate.isEntered(until: inAnHour) else { return false }
        turns.add(1)
        return true
      }
      waitForSomebody(atTheGate: lock)
      busy.leave()
      #expect(busy.isEntered(until: inAnHour))
      #expect(turns.value == round)
      #expect(waiting.outcome() == true)
    }
  }

  // MARK: - Waiting in vain

  @Test("a gate that is not left in time is busy, and the next write succeeds")
  func busy() throws {
    let store = try RenderStore.open(folder.database, .impatient)
    let other = try Gate(path: lock)
    #expect(other.enterIfFree())
    let start = Command(id: "video", action: .event(.start))
    for _ in 0..<3 {
      let error = #expect(throws: StoreError.self) { try store.apply(start, at: Bench.noon) }
      #expect(error?.isBusy == true)
      #expect(try store.head() == 0)
    }
    other.leave()
    #expect(other.isEntered(until: inAnHour), "who gave up does not keep the gate")
    other.leave()
    // The thread that waited in vain may yet have to give the gate back.
    var change: Change?
    while change == nil {
      do throws(StoreError) {
        change = try store.apply(start, at: Bench.noon).change
      } catch {
        guard error.isBusy else { throw error }
      }
    }
    #expect(change?.seq == 1)
  }

  @Test("an errand that was given up is taken over by the next one")
  func abandonedErrand() throws {
    let gate = try Gate(path: lock)
    let other = try Gate(path: lock)
    #expect(other.enterIfFree())
    #expect(!gate.isEntered(until: longAgo))
    #expect(!gate.enterIfFree())
    #expect(!gate.isEntered(until: longAgo))
    let leaving = Companion { other.leave() }
    #expect(gate.isEntered(until: inAnHour))
    #expect(leaving.outcome() != nil)
    #expect(!other.enterIfFree())
    gate.leave()
    #expect(other.isEntered(until: inAnHour))
  }

  @Test("a gate that was waited at is let go with its last user")
  func noThreadLeft() throws {
    let other = try Gate(path: lock)
    #expect(other.enterIfFree())
    var gate: Gate? = try Gate(path: lock)
    weak let observed = gate
    #expect(gate?.isEntered(until: longAgo) == false)
    gate = nil
    other.leave()
    while observed != nil { sched_yield() }
    #expect(other.isEntered(until: inAnHour))
  }

  @Test("a lock of another program, which knows no gate, is busy, and the next write succeeds")
  func externalLock() throws {
    let store = try RenderStore.open(folder.database, .impatient)
    let shell = try Shell(folder.database)
    try shell.run("BEGIN IMMEDIATE")
    let start = Command(id: "video", action: .event(.start))
    let error = #expect(throws: StoreError.self) { try store.apply(start, at: Bench.noon) }
    #expect(error?.isBusy == true)
    #expect(try store.render("video").version == 0)
    #expect(try Gate(path: lock).enterIfFree(), "who is refused does not keep the gate")
    try shell.run("ROLLBACK")
    #expect(try store.apply(start, at: Bench.noon).change?.seq == 1)
  }

  @Test("a stop ends a wait at the gate, and who has it keeps it")
  func stopAtTheGate() throws {
    let other = try Gate(path: lock)
    #expect(other.enterIfFree())
    let stop = StopNotice()
    let waiting = Companion { [lock] () -> Bool in
      guard let gate = try? Gate(path: lock) else { return true }
      return gate.isEntered(until: WaitLimit(.seconds(3_600), stop: stop))
    }
    waitForSomebody(atTheGate: lock)
    stop.limitWaits(to: .zero)
    #expect(waiting.outcome() == false)
    let third = try Gate(path: lock)
    #expect(!third.enterIfFree())
    other.leave()
    #expect(third.isEntered(until: inAnHour))
  }

  @Test("a stop ends a wait for a lock of another program, as busy")
  func stopAtAnExternalLock() throws {
    let stop = StopNotice()
    let store = try RenderStore.open(
      folder.database,
      RenderStore.Options(busyTimeout: .seconds(3_600), stop: stop)
    )
    let shell = try Shell(folder.database)
    try shell.run("BEGIN IMMEDIATE")
    let gate = try Gate(path: lock)
    let stopping = Companion {
      // Who is behind the gate is at the shell's lock.
      while gate.enterIfFree() { gate.leave() }
      stop.limitWaits(to: .zero)
    }
    let start = Command(id: "video", action: .event(.start))
    let error = #expect(throws: StoreError.self) { try store.apply(start, at: Bench.noon) }
    #expect(error?.isBusy == true)
    #expect(stopping.outcome() != nil)
    try shell.run("ROLLBACK")
    #expect(try store.apply(start, at: Bench.noon).change?.seq == 1, "locks that are free are had")
  }

  @Test("a connection is closed under the gate")
  func closing() throws {
    let store = try RenderStore.open(folder.database)
    let gate = try Gate(path: lock)
    #expect(gate.enterIfFree())
    let inside = Counter()
    inside.add(1)
    let leaving = Companion {
      waitForSomebody(atTheGate: lock)
      inside.add(-1)
      gate.leave()
    }
    store.close()
    #expect(inside.value == 0)
    #expect(leaving.outcome() != nil)
    #expect(gate.isEntered(until: inAnHour), "closing leaves the gate")
  }

  // MARK: - The lock file

  /// What somebody who tidies up may do to the lock file.
  enum Mishap: CaseIterable {
    case deleted
    case replaced
    case moved
  }

  private func cause(_ mishap: Mishap) throws {
    switch mishap {
    case .deleted:
      try #require(unlink(lock) == 0)
    case .replaced:
      try Data().write(to: URL(filePath: lock + ".new"))
      try #require(rename(lock + ".new", lock) == 0)
    case .moved:
      try #require(rename(lock, lock + ".old") == 0)
    }
  }

  @Test("the gate holds though its file was deleted, replaced or moved", arguments: Mishap.allCases)
  func lockFileLost(mishap: Mishap) throws {
    let early = try Gate(path: lock)
    #expect(early.enterIfFree())
    early.leave()
    try cause(mishap)
    let late = try Gate(path: lock)
    #expect(late.enterIfFree())
    #expect(!early.enterIfFree())
    #expect(!early.isEntered(until: longAgo))
    late.leave()
    #expect(early.isEntered(until: inAnHour))
    #expect(!late.enterIfFree())
    early.leave()
  }

  @Test("who waits while the file is replaced waits on at the new one", arguments: Mishap.allCases)
  func lockFileLostWhileWaiting(mishap: Mishap) throws {
    let early = try Gate(path: lock)
    #expect(early.enterIfFree())
    let entered = Counter()
    let waiting = Companion { [lock] () -> Bool in
      guard let gate = try? Gate(path: lock), gate.isEntered(until: inAnHour) else { return false }
      entered.add(1)
      gate.leave()
      return true
    }
    waitForSomebody(atTheGate: lock)
    try cause(mishap)
    let late = try Gate(path: lock)
    #expect(late.enterIfFree())
    early.leave()
    waitForSomebody(atTheGate: lock)
    #expect(entered.value == 0)
    late.leave()
    #expect(waiting.outcome() == true)
  }

  @Test("stores go on over a lost lock file, and lose no change", arguments: Mishap.allCases)
  func storesGoOn(mishap: Mishap) throws {
    let first = try RenderStore.open(folder.database)
    try first.apply(Command(id: "video", action: .event(.start)), at: Bench.noon)
    try cause(mishap)
    let second = try RenderStore.open(folder.database)
    for store in [first, second, first] {
      try store.write { transaction throws(StoreError) in
        let command = Command(id: "video", action: .event(.progress))
        #expect(try transaction.apply(command, at: Bench.noon).change != nil)
        for other in [first, second] where other !== store {
          #expect(other.gate?.enterIfFree() == false)
        }
      }
    }
    #expect(try second.log().map(\.version) == [1, 2, 3, 4])
  }

  // MARK: - The watch

  @Test("a watch becomes readable after a commit of any store, and is silent otherwise")
  func watch() throws {
    let first = try RenderStore.open(folder.database)
    let second = try RenderStore.open(folder.database)
    let watch = try #require(first.makeCommitWatch())
    #expect(!isReadable(watch, milliseconds: 0))
    let start = Command(id: "video", action: .event(.start))
    try second.apply(start, at: Bench.noon)
    #expect(isReadable(watch, milliseconds: -1))
    watch.clear()
    #expect(!isReadable(watch, milliseconds: 0))
    #expect(try second.apply(start, at: Bench.noon).refusal != nil)
    #expect(!isReadable(watch, milliseconds: 0), "a refused command is no commit")
    try first.apply(Command(id: "video", action: .event(.progress)), at: Bench.noon)
    #expect(isReadable(watch, milliseconds: -1))
    watch.clear()
    _ = try second.write { transaction throws(StoreError) in
      try transaction.acquireLease("n", holder: "h", milliseconds: 1, at: Bench.noon)
    }
    #expect(isReadable(watch, milliseconds: -1))
  }

  @Test("a commit is seen by those who wait in another thread")
  func watchInThread() throws {
    let path = folder.database
    let store = try RenderStore.open(path)
    let watch = try #require(store.makeCommitWatch())
    let writing = Companion { () -> Bool in
      let command = Command(id: "video", action: .event(.start))
      return (try? RenderStore.open(path).apply(command, at: Bench.noon).change) != nil
    }
    while try store.head() == 0 {
      #expect(isReadable(watch, milliseconds: -1))
      watch.clear()
    }
    #expect(writing.outcome() == true)
  }

  @Test("a watch goes over to the file that took the lock file's place")
  func watchOfReplacedFile() throws {
    let store = try RenderStore.open(folder.database)
    let watch = try #require(store.makeCommitWatch())
    try cause(.replaced)
    #expect(isReadable(watch, milliseconds: -1))
    watch.clear()
    while isReadable(watch, milliseconds: 0) { watch.clear() }
    try store.apply(Command(id: "video", action: .event(.start)), at: Bench.noon)
    #expect(isReadable(watch, milliseconds: -1))
  }

  private func isReadable(_ watch: CommitWatch, milliseconds: Int32) -> Bool {
    var polled = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&polled, 1, milliseconds) == 1
  }
}

/// When a wait that has an end would be given up.
private let inAnHour = WaitLimit(.seconds(3_600))
private let longAgo = WaitLimit(.zero)

extension Gate {
  fileprivate func isEntered(until limit: WaitLimit) -> Bool {
    (try? enter(until: limit)) != nil
  }
}
