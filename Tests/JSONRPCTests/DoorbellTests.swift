import Foundation
import Support
import Synchronization
import Testing

@testable import JSONRPC

@Suite("The doorbell")
struct DoorbellTests {
  private let doorbell = Doorbell()

  @Test("a ring wakes the sleeper")
  func ring() {
    let isRung = Flag()
    let ringing = Companion { [doorbell] in
      isRung.set()
      doorbell.ring()
    }
    while !isRung.isSet {
      doorbell.wait(milliseconds: -1) { !isRung.isSet ? [] : nil }
    }
    #expect(ringing.outcome() != nil)
  }

  @Test("a readable descriptor wakes the sleeper")
  func descriptor() throws {
    let pipe = try Pipe()
    let writing = Companion { pipe.write([1]) }
    doorbell.wait(milliseconds: -1) { [pipe.readEnd] }
    #expect(pipe.isReadable)
    #expect(writing.outcome() != nil)
  }

  @Test("nobody sleeps where the sleep is not needed, or the time is up")
  func noSleep() throws {
    doorbell.wait(milliseconds: -1) { nil }
    doorbell.wait(milliseconds: 0) { [] }
    let pipe = try Pipe()
    doorbell.wait(milliseconds: 0) { [-1, pipe.readEnd] }
  }

  @Test("a ring while the sleeper looks once more is not lost")
  func ringBeforeSleep() {
    doorbell.wait(milliseconds: -1) {
      doorbell.ring()
      return []
    }
  }

  @Test("a ring that nobody slept through wakes nobody later")
  func ringWithoutSleeper() throws {
    doorbell.ring()
    try expectSleepUntilReadable()
    doorbell.wait(milliseconds: -1) {
      doorbell.ring()
      return nil
    }
    try expectSleepUntilReadable()
    doorbell.wait(milliseconds: -1) {
      doorbell.ring()
      doorbell.ring()
      return []
    }
    try expectSleepUntilReadable()
  }

  @Test("however many ring at once, no wake-up for nothing is left over")
  func manyRingers() throws {
    let isOver = Flag()
    let companions = (0..<3).map { _ in
      Companion { [doorbell] in
        while !isOver.isSet { doorbell.ring() }
      }
    }
    for _ in 0..<20_000 { doorbell.wait(milliseconds: 0) { [] } }
    isOver.set()
    for companion in companions { #expect(companion.outcome() != nil) }
    try expectSleepUntilReadable()
  }

  /// Sleeps for a descriptor, and nothing but that wakes.
  private func expectSleepUntilReadable() throws {
    let pipe = try Pipe()
    let writing = Companion { pipe.write([1]) }
    doorbell.wait(milliseconds: -1) { [pipe.readEnd] }
    #expect(pipe.isReadable)
    #expect(writing.outcome() != nil)
  }
}

/// Something one thread says and others see.
private final class Flag: Sendable {
  private let value = Atomic(false)

  var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }

  func set() {
    value.store(true, ordering: .sequentiallyConsistent)
  }
}
