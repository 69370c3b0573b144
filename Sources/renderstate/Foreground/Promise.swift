internal import Foundation

/// A value that one thread hands over and others wait for; the first one that is put counts.
final class Promise<Value: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private var value: Value?

  func put(_ value: Value) {
    condition.lock()
    defer { condition.unlock() }
    guard self.value == nil else { return }
    self.value = value
    condition.broadcast()
  }

  func wait() -> Value {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let value { return value }
      condition.wait()
    }
  }

  /// nil if nothing is put in so many seconds.
  func wait(seconds: TimeInterval) -> Value? {
    let limit = Date(timeIntervalSinceNow: seconds)
    condition.lock()
    defer { condition.unlock() }
    while value == nil, condition.wait(until: limit) {}
    return value
  }
}

/// Runs each on a thread of its own and returns when all have ended, or throws as soon as one fails.
func inParallel(_ bodies: [@Sendable () throws -> Void]) throws {
  let ends = bodies.map { _ in Promise<Void>() }
  let outcome = Promise<Result<Void, any Error>>()
  for (body, end) in zip(bodies, ends) {
    Thread.detachNewThread {
      do {
        try body()
        end.put(())
      } catch {
        outcome.put(.failure(error))
      }
    }
  }
  Thread.detachNewThread {
    for end in ends { end.wait() }
    outcome.put(.success(()))
  }
  try outcome.wait().get()
}
