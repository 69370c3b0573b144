internal import JSON
internal import RenderModel

/// The subscriptions of a connection, found by what they match.
struct SubscriptionTable {
  /// The most a connection may have.
  static let maximumCount = 16_384

  private(set) var all: [Int: Subscription] = [:]
  private var byID: [ExactText: [Int: Subscription]] = [:]
  private var byState: [State: [Int: Subscription]] = [:]
  private var lastNumber = 0

  var count: Int { all.count }
  var isEmpty: Bool { all.isEmpty }

  /// The number and the name of the next one.
  mutating func nextName() -> (number: Int, name: String) {
    lastNumber += 1
    return (lastNumber, Self.name(lastNumber))
  }

  mutating func insert(_ subscription: Subscription) {
    all[subscription.number] = subscription
    if let ids = subscription.ids {
      for id in ids { byID[id, default: [:]][subscription.number] = subscription }
    } else {
      for state in subscription.states ?? Set(State.allCases) {
        byState[state, default: [:]][subscription.number] = subscription
      }
    }
  }

  mutating func remove(_ subscription: Subscription) {
    guard all.removeValue(forKey: subscription.number) != nil else { return }
    if let ids = subscription.ids {
      for id in ids {
        byID[id]?[subscription.number] = nil
        if byID[id]?.isEmpty == true { byID[id] = nil }
      }
    } else {
      for state in subscription.states ?? Set(State.allCases) {
        byState[state]?[subscription.number] = nil
      }
    }
  }

  /// Removes the subscription of a name.
  ///
  /// - Returns: whether the name was ever given; the subscription may have ended long ago.
  mutating func remove(named name: String) -> Bool {
    guard let number = Int(name.dropFirst()), (1...max(lastNumber, 1)).contains(number),
      lastNumber > 0, Self.name(number) == name
    else { return false }
    if let subscription = all[number] { remove(subscription) }
    return true
  }

  /// Calls the body for each subscription that names the id, or names none and wants the state.
  func visit(matching id: String, _ state: State, _ body: (Subscription) -> Void) {
    if !byID.isEmpty, let named = byID[ExactText(id)] {
      for subscription in named.values { body(subscription) }
    }
    if let general = byState[state] {
      for subscription in general.values { body(subscription) }
    }
  }

  private static func name(_ number: Int) -> String { "s\(number)" }
}
