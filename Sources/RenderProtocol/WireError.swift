internal import JSON
public import JSONRPC
public import RenderModel

/// Everything that can be answered instead of a result, with what its `data` tells.
public enum WireError: Error, Sendable {
  case parseError(reason: String)
  case invalidRequest(reason: String)
  case methodNotFound(method: String)
  case invalidParams(InvalidParams)
  /// A defect of ours; the detail goes to the log, not to the host.
  case internalError
  case invalidTransition(event: Event, now: Render)
  case conflict(reason: String, now: Render)
  case staleRender(renderID: String, now: Render)
  case storeBusy
  case storeUnavailable(reason: String, isRetryable: Bool)
  case unknownSubscription(name: String)
  case shuttingDown

  public init(_ invalid: InvalidMessage) {
    switch invalid.reason {
    case .unreadable(let reason): self = .parseError(reason: reason)
    case .notARequest(let reason): self = .invalidRequest(reason: reason)
    }
  }

  public var code: Int {
    switch self {
    case .parseError: -32_700
    case .invalidRequest: -32_600
    case .methodNotFound: -32_601
    case .invalidParams: -32_602
    case .internalError: -32_603
    case .invalidTransition: -32_001
    case .conflict: -32_002
    case .staleRender: -32_003
    case .storeBusy: -32_004
    case .storeUnavailable: -32_005
    case .unknownSubscription: -32_006
    case .shuttingDown: -32_007
    }
  }

  /// The stable name of the kind, `data.kind`.
  public var kind: String {
    switch self {
    case .parseError: "parseError"
    case .invalidRequest: "invalidRequest"
    case .methodNotFound: "methodNotFound"
    case .invalidParams: "invalidParams"
    case .internalError: "internalError"
    case .invalidTransition: "invalidTransition"
    case .conflict: "conflict"
    case .staleRender: "staleRender"
    case .storeBusy: "storeBusy"
    case .storeUnavailable: "storeUnavailable"
    case .unknownSubscription: "unknownSubscription"
    case .shuttingDown: "shuttingDown"
    }
  }

  /// What went wrong and, where it helps, what to do.
  public var message: String {
    switch self {
    case .parseError(let reason):
      "The line is not JSON in UTF-8: \(reason)"
    case .invalidRequest(let reason):
      "Not a JSON-RPC 2.0 request: \(reason)"
    case .methodNotFound(let method):
      "There is no method \(method.prefix(100)); rpc.discover lists them"
    case .invalidParams(let invalid):
      "\(invalid.path): \(invalid.reason)"
    case .internalError:
      "A defect of the sidecar; its log on stderr has the detail"
    case .invalidTransition(let event, let render):
      "\(event.rawValue) is not possible in state \(render.state.rawValue)"
    case .conflict(let reason, _):
      "\(reason); read the status and decide again"
    case .staleRender(let renderID, _):
      "renderId \(renderID) belongs to another attempt"
    case .storeBusy:
      "The store is locked by other processes; the same request may be sent again"
    case .storeUnavailable(let reason, _):
      "The store cannot be used: \(reason)"
    case .unknownSubscription(let name):
      "There was never a subscription \(name.prefix(100))"
    case .shuttingDown:
      "The sidecar is shutting down; start it again and resend"
    }
  }

  /// The error member of the response.
  public var rpcError: RPCError {
    var data = JSONWriter()
    data.beginObject()
    data.key("kind")
    data.string(kind)
    switch self {
    case .invalidParams(let invalid):
      data.key("path")
      data.string(invalid.path)
      data.key("reason")
      data.string(invalid.reason)
    case .invalidTransition(let event, let render):
      data.key("event")
      data.string(event.rawValue)
      data.key("allowedEvents")
      data.beginArray()
      for event in Machine.events(in: render.state) { data.string(event.rawValue) }
      data.endArray()
      data.status(render)
    case .conflict(_, let render), .staleRender(_, let render):
      data.status(render)
    case .storeUnavailable(_, let isRetryable):
      data.key("retryable")
      data.bool(isRetryable)
    case .parseError, .invalidRequest, .methodNotFound, .internalError, .storeBusy,
      .unknownSubscription, .shuttingDown:
      break
    }
    data.endObject()
    return RPCError(code: code, message: message, data: data.bytes)
  }
}

extension WireError {
  /// What a refused command is answered with.
  public init(_ refusal: Refusal, now render: Render) {
    switch refusal {
    case .keyReused(let before):
      self = .invalidParams(
        InvalidParams(
          path: "params.idempotencyKey",
          reason: "this key was used for \(before) before; one key marks one intention"
        )
      )
    case .conflict(let reason):
      self = .conflict(reason: reason, now: render)
    case .staleRender(let renderID):
      self = .staleRender(renderID: renderID, now: render)
    case .invalidTransition(let event, _):
      self = .invalidTransition(event: event, now: render)
    case .metadataTooLarge:
      self = .invalidParams(
        InvalidParams(
          path: "params.context.metadata",
          reason: "merged with what is there it has more than \(Metadata.maximumBytes) bytes"
        )
      )
    }
  }
}

extension JSONWriter {
  fileprivate mutating func status(_ render: Render) {
    key("status")
    Status(render).write(to: &self)
  }
}
