import Support
import Synchronization
import Testing

@testable import JSONRPC

@Suite("What is to be written")
struct OutboxTests {
  private let doorbell: Doorbell
  private let outbox: Outbox

  init() {
    doorbell = Doorbell()
    outbox = Outbox(doorbell: doorbell)
  }

  @Test("what is put is taken in the same order, all at once")
  func order() {
    outbox.put([1, 2])
    outbox.put([])
    outbox.put([3])
    #expect(outbox.next() == [1, 2, 3])
    outbox.noteWritten(3)
    #expect(outbox.bytesWritten == 3)
    outbox.put([4])
    #expect(outbox.next() == [4])
  }

  @Test("who writes waits for bytes, and is let go by the end when all are taken")
  func end() {
    let writing = Companion { [outbox] in
      var taken: [UInt8] = []
      while let bytes = outbox.next() {
        taken += bytes
        outbox.noteWritten(bytes.count)
      }
      return taken
    }
    for byte in 0..<UInt8(200) { outbox.put([byte]) }
    outbox.end()
    #expect(writing.outcome() == Array(0..<200))
    #expect(outbox.next() == nil)
  }

  @Test("a few bytes that nothing stands before are written at once, as far as that goes")
  func atOnce() {
    let pipe = Mutex((room: 3, bytes: [UInt8]()))
    let outbox = Outbox(doorbell: doorbell) { bytes in
      pipe.withLock { pipe in
        let count = min(pipe.room, bytes.count)
        pipe.room -= count
        pipe.bytes += bytes.prefix(count)
        return count
      }
    }
    outbox.put([1, 2])
    #expect(pipe.withLock { $0.bytes } == [1, 2])
    #expect(outbox.bytesWritten == 2)
    #expect(outbox.hasRoom(below: 1))
    outbox.put([3, 4, 5])
    #expect(pipe.withLock { $0.bytes } == [1, 2, 3])
    pipe.withLock { $0.room = 100 }
    outbox.put([6])
    #expect(pipe.withLock { $0.bytes } == [1, 2, 3], "nothing overtakes what waits")
    #expect(outbox.next() == [4, 5, 6])
    outbox.put([7])
    outbox.noteWritten(3)
    #expect(outbox.next() == [7], "nor what is being written")
    outbox.noteWritten(1)
    outbox.put([8])
    #expect(pipe.withLock { $0.bytes } == [1, 2, 3, 8])
    let many = [UInt8](repeating: 9, count: 5_000)
    outbox.put(many)
    #expect(outbox.next() == many)
    outbox.breakOff()
    outbox.put([10])
    #expect(pipe.withLock { $0.bytes } == [1, 2, 3, 8])
  }

  @Test("what is being written takes room until it is")
  func room() {
    #expect(outbox.hasRoom(below: 1))
    outbox.put([1, 2, 3])
    #expect(outbox.hasRoom(below: 4))
    #expect(!outbox.hasRoom(below: 3))
    #expect(outbox.next()?.count == 3)
    #expect(!outbox.hasRoom(below: 3))
    outbox.noteWritten(1)
    #expect(outbox.hasRoom(below: 3))
    #expect(!outbox.hasRoom(below: 2))
    outbox.put([4])
    #expect(!outbox.hasRoom(below: 3))
  }

  @Test("room that was asked for rings the doorbell as soon as it is there")
  func roomRings() {
    let rounds = 5_000
    let writing = Companion { [outbox] in
      while let bytes = outbox.next() {
        for _ in bytes { outbox.noteWritten(1) }
      }
    }
    for _ in 0..<rounds {
      outbox.put([1, 2, 3, 4])
      while !outbox.hasRoom(below: 2) {
        doorbell.wait(milliseconds: -1) { !outbox.hasRoom(below: 2) ? [] : nil }
      }
    }
    outbox.end()
    #expect(writing.outcome() != nil)
    #expect(outbox.bytesWritten == UInt64(4 * rounds))
  }

  @Test("the break drops what waits, makes room, rings, and lets nothing more in")
  func breakOff() {
    outbox.put([1, 2, 3])
    _ = outbox.next()
    outbox.put([4, 5, 6])
    let breaking = Companion { [outbox] in outbox.breakOff() }
    while !outbox.isBroken {
      doorbell.wait(milliseconds: -1) { !outbox.isBroken ? [] : nil }
    }
    #expect(breaking.outcome() != nil)
    #expect(outbox.hasRoom(below: 1))
    outbox.put([7])
    #expect(outbox.hasRoom(below: 1))
    #expect(outbox.next() == nil)
    #expect(outbox.waitUntilWritten(stallLimit: .zero))
  }

  @Test("the break lets go who waits for bytes to write")
  func breakOffWhileWaiting() {
    let writing = Companion { [outbox] in outbox.next() == nil }
    outbox.breakOff()
    #expect(writing.outcome() == true)
  }

  // MARK: - Waiting until all is written

  @Test("there is nothing to wait for where nothing waits")
  func nothingWaits() {
    #expect(outbox.waitUntilWritten(stallLimit: .zero))
  }

  @Test("the wait lasts until the last byte is written")
  func waitForLastByte() {
    outbox.put([UInt8](repeating: 1, count: 1_000))
    let writing = Companion { [outbox] in
      let count = outbox.next()?.count ?? 0
      for _ in 0..<count { outbox.noteWritten(1) }
    }
    #expect(outbox.waitUntilWritten(stallLimit: .seconds(600)))
    #expect(outbox.bytesWritten == 1_000)
    #expect(writing.outcome() != nil)
  }

  @Test("the wait is over when the other side breaks off")
  func waitUntilBroken() {
    outbox.put([1])
    let breaking = Companion { [outbox] in outbox.breakOff() }
    #expect(outbox.waitUntilWritten(stallLimit: .seconds(600)))
    #expect(outbox.bytesWritten == 0)
    #expect(breaking.outcome() != nil)
  }

  @Test("the wait is given up where nothing is taken, waiting or half written")
  func stall() {
    outbox.put([1, 2])
    #expect(!outbox.waitUntilWritten(stallLimit: .milliseconds(1)))
    _ = outbox.next()
    outbox.noteWritten(1)
    #expect(!outbox.waitUntilWritten(stallLimit: .milliseconds(1)))
    outbox.noteWritten(1)
    #expect(outbox.waitUntilWritten(stallLimit: .zero))
  }
}
