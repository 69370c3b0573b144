internal import JSONRPC

/// What was taken from the inbox and is not done with.
struct RequestQueue {
  private var items: [Inbox.Item] = []
  private var done = 0

  var count: Int { items.count - done }
  var isEmpty: Bool { count == 0 }
  var first: Inbox.Item? { item(at: 0) }

  func item(at index: Int) -> Inbox.Item? {
    done + index < items.count ? items[done + index] : nil
  }

  func contains(where matches: (Inbox.Item) -> Bool) -> Bool {
    items[done...].contains(where: matches)
  }

  mutating func append(_ more: [Inbox.Item]) {
    if isEmpty {
      items = more
      done = 0
    } else {
      items += more
    }
  }

  mutating func removeFirst(_ count: Int = 1) {
    done += count
    if isEmpty {
      items = []
      done = 0
    }
  }
}
