import JSON
import JSONRPC
import RenderModel
import Support
import Testing

@testable import RenderProtocol

/// One of each error, with what the contract says of it.
struct ErrorCase: Sendable, CustomStringConvertible {
  let code: Int
  let kind: String
  let error: WireError
  /// The keys of `data` behind `kind`.
  var keys: [String] = []

  var description: String { kind }

  static func all() throws -> [ErrorCase] {
    let render = try fullRender()
    let invalid = InvalidParams(path: "params.id", reason: "it is required")
    return [
      ErrorCase(code: -32_700, kind: "parseError", error: .parseError(reason: "r")),
      ErrorCase(code: -32_600, kind: "invalidRequest", error: .invalidRequest(reason: "r")),
      ErrorCase(code: -32_601, kind: "methodNotFound", error: .methodNotFound(method: "m")),
      ErrorCase(
        code: -32_602,
        kind: "invalidParams",
        error: .invalidParams(invalid),
        keys: ["path", "reason"]
      ),
      ErrorCase(code: -32_603, kind: "internalError", error: .internalError),
      ErrorCase(
        code: -32_001,
        kind: "invalidTransition",
        error: .invalidTransition(event: .start, now: render),
        keys: ["event", "allowedEvents", "status"]
      ),
      ErrorCase(
        code: -32_002,
        kind: "conflict",
        error: .conflict(reason: "r", now: render),
        keys: ["status"]
      ),
      ErrorCase(
        code: -32_003,
        kind: "staleRender",
        error: .staleRender(renderID: "r0", now: render),
        keys: ["status"]
      ),
      ErrorCase(code: -32_004, kind: "storeBusy", error: .storeBusy),
      ErrorCase(
        code: -32_005,
        kind: "storeUnavailable",
        error: .storeUnavailable(reason: "disk full", isRetryable: true),
        keys: ["retryable"]
      ),
      ErrorCase(code: -32_006, kind: "unknownSubscription", error: .unknownSubscription(name: "s")),
      ErrorCase(code: -32_007, kind: "shuttingDown", error: .shuttingDown),
    ]
  }
}

@Suite("Errors on the wire")
struct WireErrorTests {
  private func data(_ error: WireError) throws -> JSON {
    try JSON(reading: String(decoding: error.rpcError.data, as: UTF8.self))
  }

  @Test("an error has its code, its kind and its data", arguments: try ErrorCase.all())
  func code(_ expected: ErrorCase) throws {
    #expect(expected.error.code == expected.code)
    #expect(expected.error.rpcError.code == expected.code)
    #expect(expected.error.kind == expected.kind)
    #expect(expected.error.rpcError.message.isEmpty == false)
    let data = try data(expected.error)
    #expect(data["kind"]?.string == expected.kind)
    #expect(data.keys == ["kind"] + expected.keys)
  }

  @Test("the status of an error is the whole Status as it is now")
  func status() throws {
    let render = try fullRender()
    let status = try JSON(reading: written(Status(render)))
    for error in [
      WireError.conflict(reason: "r", now: render), .staleRender(renderID: "r", now: render),
      .invalidTransition(event: .start, now: render),
    ] {
      #expect(try data(error)["status"] == status)
    }
  }

  @Test("invalidTransition tells the table's events for the state, in their order")
  func allowedEvents() throws {
    let expected: [State: [String]] = [
      .idle: ["start"], .queued: ["progress", "fail", "cancel"],
      .rendering: ["progress", "complete", "fail", "cancel"], .completed: [], .failed: ["start"],
    ]
    for state in State.allCases {
      var render = try fullRender()
      render.state = state
      let data = try data(.invalidTransition(event: .progress, now: render))
      #expect(data["allowedEvents"]?.array?.compactMap(\.string) == expected[state])
      #expect(data["event"]?.string == "progress")
    }
  }

  @Test("invalidParams tells where and why")
  func invalidParams() throws {
    let data = try data(.invalidParams(InvalidParams(path: "params.ids[1]", reason: "why")))
    #expect(data["path"]?.string == "params.ids[1]")
    #expect(data["reason"]?.string == "why")
  }

  @Test("storeUnavailable tells whether to try again")
  func retryable() throws {
    for flag in [true, false] {
      let error = WireError.storeUnavailable(reason: "r", isRetryable: flag)
      #expect(try data(error)["retryable"]?.bool == flag)
    }
  }

  @Test("a refusal of the model becomes its error")
  func refusals() throws {
    let render = try fullRender()
    let expected: [(Refusal, String, path: String?)] = [
      (.keyReused(before: "start"), "invalidParams", "params.idempotencyKey"),
      (.metadataTooLarge, "invalidParams", "params.context.metadata"),
      (.conflict(reason: "r"), "conflict", nil),
      (.staleRender(renderID: "r"), "staleRender", nil),
      (.invalidTransition(event: .start, state: .completed), "invalidTransition", nil),
    ]
    for (refusal, kind, path) in expected {
      let error = WireError(refusal, now: render)
      #expect(error.kind == kind)
      #expect(try data(error)["path"]?.string == path)
    }
  }

  @Test("a long name in a message is cut")
  func longNames() {
    for error in [
      WireError.methodNotFound(method: text("m", 9_000)),
      .unknownSubscription(name: text("s", 9_000)),
    ] {
      #expect(error.message.utf8.count < 300)
    }
  }
}
