import JSON
import RenderModel
import Support
import Testing

@Suite("Transitions over the wire")
struct TransitionTests {
  private let clock = ManualClock()
  private let sidecar: MemorySidecar

  init() throws {
    sidecar = try MemorySidecar(TemporaryFolder(), clock: clock)
  }

  private func status(_ id: String = "a") throws -> JSON {
    try sidecar.result("getStatus", #"{"id":\#(quoted(id))}"#)
  }

  private func refusal(_ params: String, _ method: String = "transition") throws -> JSON {
    let before = try status()
    let error = try sidecar.error(method, params)
    // Whatever is refused changes nothing.
    #expect(try status() == before)
    return error
  }

  @Test("an id that was never started is idle, and asking stores nothing")
  func idle() throws {
    #expect(
      try status()
        == json(
          """
          {"id":"a","state":"idle","progress":0,"renderId":null,"bucketName":null,"videoUrl":null,\
          "error":null,"metadata":{},"run":0,"attempt":0,"version":0,"lastEvent":null,\
          "processingStatus":null,"seq":0,"createdAt":null,"updatedAt":null}
          """
        )
    )
    #expect(try sidecar.result("listStatuses")["statuses"] == .array([]))
    #expect(try sidecar.result("getHistory", #"{"id":"a"}"#)["changes"] == .array([]))
  }

  @Test("the answer has this change's version and seq, and the status after it")
  func answer() throws {
    try sidecar.transition("b", "start")
    clock.advance(milliseconds: 1_500)
    let context = #""context":{"renderId":"r1","bucketName":"b1","metadata":{"k":1}}"#
    let answer = try sidecar.transition("a", "start", context)
    #expect(
      answer
        == (try json(
          """
          {"previousState":"idle","version":1,"seq":2,"status":{"id":"a","state":"queued",\
          "progress":0,"renderId":"r1","bucketName":"b1","videoUrl":null,"error":null,\
          "metadata":{"k":1},"run":1,"attempt":1,"version":1,"lastEvent":"start",\
          "processingStatus":"generating_video","seq":2,"createdAt":"2026-11-22T12:00:01.500Z",\
          "updatedAt":"2026-11-22T12:00:01.500Z"},"replayed":false}
          """
        ))
    )
    #expect(try status() == answer["status"])
  }

  @Test("an attempt goes its way, and its log tells every step")
  func history() throws {
    try sidecar.transition("a", "start", #""actor":"web""#)
    let report = #""context":{"renderId":"r1","progress":40,"metadata":{"a":1,"b":2}}"#
    try sidecar.transition("a", "progress", report)
    try sidecar.transition("a", "progress", #""context":{"progress":10,"metadata":{"a":null}}"#)
    clock.advance(milliseconds: -5_000)
    let end = #""context":{"videoUrl":"https://media.example.com/v.mp4"},"actor":"webhook""#
    let status = try sidecar.transition("a", "complete", end)["status"]
    #expect(status?["progress"] == .integer(100))
    #expect(status?["metadata"] == (try json(#"{"b":2}"#)))
    #expect(status?["updatedAt"]?.string == "2026-11-22T12:00:00.000Z")
    let changes = try #require(try sidecar.result("getHistory", #"{"id":"a"}"#)["changes"]?.array)
    #expect(
      changes.map { [$0["event"], $0["previousState"], $0["state"]].map { $0?.string } } == [
        ["start", "idle", "queued"], ["progress", "queued", "rendering"],
        ["progress", "rendering", "rendering"], ["complete", "rendering", "completed"],
      ]
    )
    #expect(changes.map { $0["progress"]?.integer } == [0, 40, 40, 100])
    #expect(changes.map { $0["actor"]?.string } == ["web", nil, nil, "webhook"])
    #expect(
      changes.map { $0["metadata"] ?? .null }
        == [.null, try json(#"{"a":1,"b":2}"#), try json(#"{"a":null}"#), .null]
    )
    #expect(changes.map { $0["version"]?.integer } == [1, 2, 3, 4])
  }

  @Test("fail and cancel have an error of their own if none is given")
  func errors() throws {
    for (event, given, error) in [
      ("fail", #"{}"#, "Render failed"), ("cancel", #"{}"#, "Render cancelled"),
      ("fail", #"{"error":"Out of memory"}"#, "Out of memory"), ("cancel", #"{"error":""}"#, ""),
    ] {
      try sidecar.transition("a", "start")
      let status = try sidecar.transition("a", event, #""context":\#(given)"#)["status"]
      #expect(status?["error"]?.string == error)
      #expect(status?["state"]?.string == "failed")
    }
    #expect(try status()["attempt"] == .integer(4))
  }

  @Test("an event that the table does not have is refused, with those it has")
  func invalidTransition() throws {
    let error = try refusal(#"{"id":"a","event":"complete"}"#)
    #expect(error["code"] == .integer(-32_001))
    #expect(error["data"]?.keys == ["kind", "event", "allowedEvents", "status"])
    #expect(error["data", "allowedEvents"] == .array([.string("start")]))
    #expect(error["data", "status"] == (try status()))
  }

  @Test(
    "regenerate closes a run that has ended, starts an idle render, and waits for an active one"
  )
  func regenerate() throws {
    let first = try sidecar.result("regenerate", #"{"id":"a"}"#)
    #expect(first["previousState"]?.string == "idle")
    #expect(first["status", "run"] == .integer(1))
    for event in [nil, "progress"] {
      if let event { try sidecar.transition("a", event) }
      let error = try refusal(#"{"id":"a"}"#, "regenerate")
      #expect(kind(error) == "invalidTransition")
      #expect(error["data", "event"]?.string == "start")
    }
    for (run, event) in [(2, "complete"), (3, "fail")] {
      try sidecar.transition("a", event)
      let answer = try sidecar.result("regenerate", #"{"id":"a","context":{"bucketName":"b"}}"#)
      #expect(answer["previousState"]?.string == "idle")
      #expect(answer["status", "run"] == .integer(Int64(run)))
      #expect(answer["status", "attempt"] == .integer(1))
      #expect(answer["status", "videoUrl"]?.isNull == true)
      #expect(answer["status", "error"]?.isNull == true)
      try sidecar.transition("a", "progress")
    }
    let changes = try sidecar.result("getHistory", #"{"id":"a"}"#)["changes"]?.array
    let starts = changes?.filter { $0["event"]?.string == "start" }
    #expect(starts?.map { $0["previousState"]?.string } == ["idle", "idle", "idle"])
  }

  @Test("an expectation that does not hold is a conflict, with the status")
  func expectations() throws {
    try sidecar.transition("a", "start", #""expectedVersion":0,"expectedState":"idle""#)
    for wrong in [
      #""expectedVersion":0"#, #""expectedState":"idle""#, #""expectedAttempt":2"#,
      #""expectedVersion":1,"expectedState":"queued","expectedAttempt":0"#,
    ] {
      let error = try refusal(#"{"id":"a","event":"progress",\#(wrong)}"#)
      #expect(error["code"] == .integer(-32_002))
      #expect(error["data"]?.keys == ["kind", "status"])
      #expect(error["data", "status", "version"] == .integer(1))
    }
    try sidecar.transition(
      "a",
      "progress",
      #""expectedVersion":1.0,"expectedState":"queued","expectedAttempt":1"#
    )
    let error = try refusal(#"{"id":"a","expectedState":"completed"}"#, "regenerate")
    #expect(kind(error) == "conflict")
  }

  @Test("a renderId of an earlier attempt is refused with any event; another one too")
  func fencing() throws {
    try sidecar.transition("a", "start")
    try sidecar.transition("a", "progress", #""context":{"renderId":"r1"}"#)
    let other = try refusal(#"{"id":"a","event":"progress","context":{"renderId":"r2"}}"#)
    #expect(other["code"] == .integer(-32_003))
    #expect(other["data", "status", "renderId"]?.string == "r1")
    try sidecar.transition("a", "fail", #""context":{"renderId":"r1"}"#)
    // A late report in any state, before the table is asked.
    let late = #"{"id":"a","event":"complete","context":{"renderId":"r0"}}"#
    #expect(kind(try refusal(late)) == "staleRender")
    let again = #"{"id":"a","event":"start","context":{"renderId":"r1"}}"#
    #expect(kind(try refusal(again)) == "staleRender")
    try sidecar.transition("a", "start")
    for event in ["progress", "fail", "cancel", "complete"] {
      let old = #"{"id":"a","event":"\#(event)","context":{"renderId":"r1"}}"#
      #expect(kind(try refusal(old)) == "staleRender")
    }
    // A refused request took no renderId: r2 is free.
    try sidecar.transition("a", "progress", #""context":{"renderId":"r2"}"#)
    try sidecar.transition("a", "complete", #""context":{"renderId":"r2"}"#)
    let used = #"{"id":"a","context":{"renderId":"r2"}}"#
    #expect(kind(try refusal(used, "regenerate")) == "staleRender")
    try sidecar.transition("b", "start", #""context":{"renderId":"r1"}"#)
  }

  @Test("a key seen before changes nothing, and answers the first one with the status as it is")
  func idempotency() throws {
    let start = #"{"id":"a","event":"start","idempotencyKey":"k1","expectedVersion":0}"#
    let first = try sidecar.result("transition", start)
    try sidecar.transition("a", "progress")
    let again = try sidecar.result("transition", start)
    #expect(again["replayed"]?.bool == true)
    for key in ["previousState", "version", "seq"] { #expect(again[key] == first[key]) }
    #expect(again["status"] == (try status()))
    #expect(again["status", "version"] == .integer(2))
    for (method, params) in [
      ("transition", #"{"id":"a","event":"cancel","idempotencyKey":"k1"}"#),
      ("regenerate", #"{"id":"a","idempotencyKey":"k1"}"#),
    ] {
      let error = try refusal(params, method)
      #expect(error["data", "path"]?.string == "params.idempotencyKey")
    }
    try sidecar.transition("b", "start", #""idempotencyKey":"k1""#)
    try sidecar.transition("a", "cancel")
    let regenerate = #"{"id":"a","idempotencyKey":"k2"}"#
    let second = try sidecar.result("regenerate", regenerate)
    #expect(try sidecar.result("regenerate", regenerate)["seq"] == second["seq"])
    let event = try refusal(#"{"id":"a","event":"start","idempotencyKey":"k2"}"#)
    #expect(kind(event) == "invalidParams")
  }

  @Test("a replay is told to nobody")
  func silentReplay() throws {
    let name = try sidecar.subscribe()
    sidecar.post("transition", #"{"id":"a","event":"start","idempotencyKey":"k"}"#)
    sidecar.post("transition", #"{"id":"a","event":"start","idempotencyKey":"k"}"#)
    #expect(
      try sidecar.stop().map(spelled).filter { $0.hasPrefix(name) } == ["s1 1", "s1 shutdown"]
    )
  }

  @Test("the checks come in their order: each fault hides those behind it")
  func order() throws {
    try sidecar.transition("a", "start", #""idempotencyKey":"k""#)
    let big = String(repeating: "x", count: 9_000)
    let large = #"{"m":"\#(big)"}"#
    try sidecar.transition("a", "progress", #""context":{"metadata":\#(large),"renderId":"r1"}"#)
    func attempt(_ faults: String, _ event: String, _ context: String) throws -> String? {
      let params = #"{"id":"a","event":"\#(event)","context":{\#(context)}\#(faults)}"#
      let error = try refusal(params)
      return error["data", "path"]?.string ?? kind(error)
    }
    let metadata = #""metadata":{"n":"\#(big)"}"#
    let stale = #""renderId":"r0","# + metadata
    let conflict = #","expectedVersion":9"#
    let key = #","idempotencyKey":"k""# + conflict
    // The event is start, of which the table knows nothing here, until only the size is wrong.
    #expect(try attempt(key + #","typo":1"#, "start", stale) == "params.typo")
    #expect(try attempt(key, "cancel", stale) == "params.idempotencyKey")
    #expect(try attempt(conflict, "start", stale) == "conflict")
    #expect(try attempt("", "start", #""renderId":"r1","# + metadata) == "staleRender")
    #expect(try attempt("", "start", metadata) == "invalidTransition")
    #expect(try attempt("", "progress", metadata) == "params.context.metadata")
  }

  @Test("metadata is bounded as merged, and numbers come back as equal doubles")
  func metadata() throws {
    let numbers = #"{"a":0.1,"b":1e-7,"c":9007199254740993,"d":-0.0,"e":123456789012345678901}"#
    let answer = try sidecar.transition("a", "start", #""context":{"metadata":\#(numbers)}"#)
    #expect(answer["status", "metadata"] == (try json(numbers)))
    #expect(try status()["metadata"] == json(numbers))
    let half = String(repeating: "x", count: 8_100)
    try sidecar.transition("a", "progress", #""context":{"metadata":{"x":"\#(half)"}}"#)
    let over = #"{"id":"a","event":"progress","context":{"metadata":{"y":"\#(half)\#(half)"}}}"#
    #expect(try refusal(over)["data", "path"]?.string == "params.context.metadata")
    // In the place of the first there is room.
    let swap = #""context":{"metadata":{"x":null,"y":"\#(half)\#(half)"}}"#
    #expect(try sidecar.transition("a", "progress", swap)["status", "metadata", "x"] == nil)
  }

  @Test("ids compare by their bytes")
  func bytes() throws {
    try sidecar.transition("\u{E9}", "start")
    #expect(try status("e\u{301}")["state"]?.string == "idle")
    #expect(try status("\u{E9}")["state"]?.string == "queued")
  }

  @Test("getStatuses answers in the order asked, as often as asked")
  func statuses() throws {
    try sidecar.transition("b", "start")
    let ids = ["c", "b", "a", "b"]
    let answer = try sidecar.result("getStatuses", #"{"ids":["c","b","a","b"]}"#)
    #expect(answer["statuses"]?.array?.map { $0["id"]?.string } == ids)
  }
}
