import JSON
import Support
import Testing

@Suite("Leases")
struct LeaseTests {
  private let clock = ManualClock()
  private let folder: TemporaryFolder
  private let sidecar: MemorySidecar

  init() throws {
    folder = try TemporaryFolder()
    sidecar = try MemorySidecar(folder, clock: clock)
  }

  private func acquire(
    _ holder: String,
    _ milliseconds: Int = 1_000,
    by sidecar: MemorySidecar? = nil
  ) throws -> String {
    let answer = try (sidecar ?? self.sidecar).result(
      "acquireLease",
      #"{"name":"poller","holder":"\#(holder)","ttlMs":\#(milliseconds)}"#
    )
    #expect(answer.keys == ["acquired", "holder", "token", "expiresAt"])
    let acquired = answer["acquired"]?.bool == true ? "has" : "lacks"
    let seconds = answer["expiresAt"]?.string?.dropFirst(14).dropLast()
    return "\(acquired) \(answer["holder"]?.string ?? "") \(answer["token"]?.integer ?? 0) "
      + (seconds ?? "")
  }

  private func release(_ holder: String) throws -> Bool? {
    try sidecar.result("releaseLease", #"{"name":"poller","holder":"\#(holder)"}"#)["released"]?
      .bool
  }

  @Test("a live lease is refused to others with its own data, and renewed for its holder")
  func live() throws {
    #expect(try acquire("a") == "has a 1 00:01.000")
    clock.advance(milliseconds: 999)
    #expect(try acquire("b") == "lacks a 1 00:01.000")
    #expect(try acquire("a", 500) == "has a 1 00:01.499")
    // A renewal may shorten it, too.
    #expect(try acquire("a", 1) == "has a 1 00:01.000")
  }

  @Test(
    "a lease lasts as long as it was taken for, though the clock is set",
    arguments: [86_400_000, -3_600_000]
  )
  func clockSet(forward: Int64) throws {
    #expect(try acquire("a") == "has a 1 00:01.000")
    clock.set(forward: forward)
    clock.advance(milliseconds: 999)
    #expect(try acquire("b") == "lacks a 1 00:01.000")
    clock.advance(milliseconds: 1)
    #expect(try acquire("b") == "has b 2 00:02.000")
    #expect(try release("b") == true)
    clock.set(forward: -forward)
    #expect(try acquire("a") == "has a 3 00:02.000")
  }

  @Test("an expired lease is free for the next token, for its last holder too")
  func expired() throws {
    #expect(try acquire("a") == "has a 1 00:01.000")
    clock.advance(milliseconds: 1_000)
    #expect(try release("a") == false)
    #expect(try acquire("b") == "has b 2 00:02.000")
    clock.advance(milliseconds: 1_000)
    #expect(try acquire("b") == "has b 3 00:03.000")
  }

  @Test("only its holder can release a lease, and once")
  func release() throws {
    #expect(try release("a") == false)
    #expect(try acquire("a") == "has a 1 00:01.000")
    #expect(try release("b") == false)
    #expect(try acquire("b") == "lacks a 1 00:01.000")
    #expect(try release("a") == true)
    #expect(try release("a") == false)
    #expect(try acquire("a") == "has a 2 00:01.000")
  }

  @Test("leases of other names have nothing to do with it")
  func names() throws {
    #expect(try acquire("a") == "has a 1 00:01.000")
    let other = #"{"name":"cleaner","holder":"b","ttlMs":5}"#
    #expect(try sidecar.result("acquireLease", other)["token"] == .integer(1))
  }

  @Test("leases live in the store: other sidecars and later ones see them")
  func store() throws {
    #expect(try acquire("a") == "has a 1 00:01.000")
    let other = try MemorySidecar(folder, clock: clock)
    #expect(try acquire("b", by: other) == "lacks a 1 00:01.000")
    try sidecar.crash()
    try other.crash()
    let later = try MemorySidecar(folder, clock: clock)
    #expect(try acquire("b", by: later) == "lacks a 1 00:01.000")
    #expect(try acquire("a", by: later) == "has a 1 00:01.000")
  }

  @Test("a lease is no change: subscribers hear nothing")
  func silent() throws {
    _ = try sidecar.subscribe()
    #expect(try acquire("a") == "has a 1 00:01.000")
    #expect(try release("a") == true)
    #expect(try sidecar.stop().map(spelled) == ["s1 shutdown"])
  }
}
