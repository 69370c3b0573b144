import Foundation
import Support
import Testing

@testable import JSONRPC

@Suite("What waits to be handled")
struct InboxTests {
  private let doorbell: Doorbell
  private let inbox: Inbox

  init() {
    doorbell = Doorbell()
    inbox = Inbox(doorbell: doorbell)
  }

  /// An item told by its number.
  private func item(_ number: Int, at place: Inbox.Place = .alone) -> Inbox.Item {
    let request = Message.Request(id: .integer(Int64(number)), method: "m", params: .unusable)
    return Inbox.Item(content: .success(.request(request)), place: place, readAt: 0)
  }

  private func numbers(_ items: [Inbox.Item]) -> [Int] {
    items.map { item in
      guard case .success(.request(let request)) = item.content,
        case .integer(let number) = request.id
      else { return -1 }
      return Int(number)
    }
  }

  private func waitForNews() {
    while !inbox.hasNews {
      doorbell.wait(milliseconds: -1) { !inbox.hasNews ? [] : nil }
    }
  }

  @Test("what is put is taken in the same order, once")
  func order() {
    #expect(inbox.takeAll().isEmpty)
    #expect(!inbox.hasNews)
    #expect(inbox.put([item(1)], bytes: 10))
    #expect(inbox.put([item(2), item(3)], bytes: 10))
    #expect(inbox.hasNews)
    #expect(numbers(inbox.takeAll()) == [1, 2, 3])
    #expect(inbox.takeAll().isEmpty)
    #expect(inbox.put([item(4)], bytes: 10))
    #expect(numbers(inbox.takeAll()) == [4])
  }

  @Test("who puts waits while the capacity is used up, and goes on when all is taken")
  func backPressure() {
    let putting = Companion { [inbox] in
      let areIn = (0..<200).map { inbox.put([item($0)], bytes: Inbox.capacity / 4) }
      inbox.end()
      return areIn.allSatisfy { $0 }
    }
    var taken: [Int] = []
    while !inbox.isExhausted {
      waitForNews()
      let items = inbox.takeAll()
      // The fourth line is let in while there is room for less than it, a fifth one never is.
      #expect(items.count <= 4)
      taken += numbers(items)
    }
    #expect(taken == Array(0..<200))
    #expect(putting.outcome() == true)
  }

  @Test("a line larger than the capacity is let in when there is room at all")
  func largeLine() {
    #expect(inbox.put([item(1)], bytes: Inbox.capacity - 1_000))
    #expect(inbox.put((2...100).map { item($0) }, bytes: 2 * Inbox.capacity))
    #expect(numbers(inbox.takeAll()) == Array(1...100))
    #expect(inbox.put([item(101)], bytes: 3 * Inbox.capacity))
    #expect(numbers(inbox.takeAll()) == [101])
  }

  @Test("lines of nothing use up the capacity too")
  func smallLines() {
    let count = Inbox.capacity / 64
    for number in 0..<count { #expect(inbox.put([item(number)], bytes: 0)) }
    #expect(lettingInUntilEnd() == 0)
    #expect(inbox.takeAll().count == count)
  }

  @Test("the end lets what waits be handled and nothing more in")
  func end() {
    #expect(inbox.put([item(1)], bytes: 10))
    inbox.end()
    #expect(!inbox.put([item(2)], bytes: 10))
    #expect(inbox.hasNews)
    #expect(!inbox.isExhausted)
    #expect(numbers(inbox.takeAll()) == [1])
    #expect(inbox.isExhausted)
    #expect(inbox.hasNews)
    inbox.end()
    #expect(inbox.isExhausted)
  }

  @Test("the end refuses who waits for room")
  func endWhileWaiting() {
    #expect(inbox.put([item(1)], bytes: Inbox.capacity))
    #expect(lettingInUntilEnd() == 0)
    #expect(numbers(inbox.takeAll()) == [1])
  }

  /// Ends the inbox while another thread puts lines, and tells how many of them were let in.
  private func lettingInUntilEnd() -> Int? {
    let isPutting = DispatchSemaphore(value: 0)
    let putting = Companion { [inbox] in
      isPutting.signal()
      var count = 0
      while inbox.put([item(-1)], bytes: 0) { count += 1 }
      return count
    }
    isPutting.wait()
    // A chance to do wrong; what is right does not depend on it.
    for _ in 0..<1_000 { sched_yield() }
    inbox.end()
    return putting.outcome()
  }

  // MARK: - The doorbell

  @Test("what is put and the end wake the sleeper")
  func rings() {
    let putting = Companion { [inbox] in inbox.put([item(1)], bytes: 1) }
    waitForNews()
    #expect(numbers(inbox.takeAll()) == [1])
    let ending = Companion { [inbox] in inbox.end() }
    waitForNews()
    #expect(inbox.isExhausted)
    #expect(putting.outcome() == true)
    #expect(ending.outcome() != nil)
  }

  @Test("no ring is lost, however puts and sleeps fall together")
  func noLostRing() {
    // The other side puts one item and waits until it was answered: a lost ring would stop both.
    let other = Doorbell()
    let answers = Inbox(doorbell: other)
    let rounds = 20_000
    let putting = Companion { [inbox] in
      var answered = 0
      for number in 0..<rounds {
        _ = inbox.put([item(number)], bytes: 1)
        while !answers.hasNews {
          other.wait(milliseconds: -1) { !answers.hasNews ? [] : nil }
        }
        answered += answers.takeAll().count
      }
      inbox.end()
      return answered
    }
    var taken: [Int] = []
    while !inbox.isExhausted {
      waitForNews()
      for number in numbers(inbox.takeAll()) {
        taken.append(number)
        _ = answers.put([item(number)], bytes: 1)
      }
    }
    #expect(taken == Array(0..<rounds))
    #expect(putting.outcome() == rounds)
  }
}
