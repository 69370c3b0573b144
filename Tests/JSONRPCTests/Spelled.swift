import JSON

@testable import JSONRPC

/// What was read, in a form that tests can write down.
func spelled(_ content: Result<Message, InvalidMessage>) -> String {
  switch content {
  case .success(.request(let request)):
    "request \(spelled(request.id)) \(request.method) \(spelled(request.params))"
  case .success(.notification(let notification)):
    "notification \(notification.method) \(spelled(notification.params))"
  case .success(.response):
    "response"
  case .failure(let error):
    switch error.reason {
    case .unreadable: "unreadable \(spelled(error.id))"
    case .notARequest: "invalid \(spelled(error.id))"
    }
  }
}

private func spelled(_ id: RequestID) -> String {
  var writer = JSONWriter()
  writer.id(id)
  return String(decoding: writer.bytes, as: UTF8.self)
}

private func spelled(_ params: Message.Params) -> String {
  switch params {
  case .named(let object): JSON.object(object).compactText
  case .read: "read"
  case .unusable: "unusable"
  }
}

/// Like `spelled`, with the place where that is in a batch.
func spelled(_ item: Inbox.Item) -> String {
  switch item.place {
  case .alone: spelled(item.content)
  case .inBatch(isLast: false): "batched " + spelled(item.content)
  case .inBatch(isLast: true): "last " + spelled(item.content)
  }
}
