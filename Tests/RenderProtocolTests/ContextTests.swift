import JSON
import RenderModel
import RenderProtocol
import Support
import Testing

@Suite("Context and timeouts")
struct ContextTests {
  private func params(_ event: String, _ context: String) -> String {
    #"{"id":"a","event":"\#(event)","context":\#(context)}"#
  }

  private func context(_ event: String, _ context: String) throws -> Context {
    try read(TransitionMethod.self, params(event, context)).command.context
  }

  private func refusedPath(_ event: String, _ context: String) throws -> String? {
    try RenderProtocolTests.refusedPath(of: TransitionMethod.self, params(event, context))
  }

  /// The events a field goes with.
  private static let fields: [(field: String, value: String, events: Set<Event>)] = [
    ("renderId", #""r""#, Set(Event.allCases)),
    ("bucketName", #""b""#, Set(Event.allCases)),
    ("metadata", #"{"a":1}"#, Set(Event.allCases)),
    ("progress", "50", [.progress]),
    ("videoUrl", #""https://media.example.com/v.mp4""#, [.complete]),
    ("error", #""No such composition""#, [.fail, .cancel]),
  ]

  @Test("a field goes with its events only", arguments: Event.allCases)
  func events(_ event: Event) throws {
    for (field, value, events) in Self.fields {
      let path = try refusedPath(event.rawValue, #"{"\#(field)":\#(value)}"#)
      #expect(path == (events.contains(event) ? nil : "params.context.\(field)"))
      #expect(try refusedPath(event.rawValue, #"{"\#(field)":null}"#) == nil)
    }
  }

  @Test("the context of a regenerate is that of a start")
  func regenerate() throws {
    for (field, value, events) in Self.fields {
      let path = try RenderProtocolTests.refusedPath(
        of: RegenerateMethod.self,
        #"{"id":"a","context":{"\#(field)":\#(value)}}"#
      )
      #expect(path == (events.contains(.start) ? nil : "params.context.\(field)"))
    }
  }

  @Test("a context is an object with names that exist")
  func shape() throws {
    for context in ["[]", "5", #""a""#, "true"] {
      #expect(try refusedPath("start", context) == "params.context")
    }
    for name in ["render_id", "renderID", "id", ""] {
      #expect(try refusedPath("start", #"{"\#(name)":null}"#) == "params.context.\(name)")
    }
  }

  @Test("renderId and bucketName are names like others")
  func names() throws {
    for field in ["renderId", "bucketName"] {
      for value in ParamKind.identifier.good {
        #expect(try refusedPath("progress", #"{"\#(field)":\#(value)}"#) == nil)
      }
      for (value, _) in ParamKind.identifier.bad {
        let path = try refusedPath("progress", #"{"\#(field)":\#(value)}"#)
        #expect(path == "params.context.\(field)", "\(value)")
      }
    }
  }

  @Test("progress is a finite number from 0 to 100")
  func progress() throws {
    for value in ["0", "100", "100.0", "0.001", "99.999", "1e2", "-0", "-0.0"] {
      #expect(try refusedPath("progress", #"{"progress":\#(value)}"#) == nil, "\(value)")
    }
    for value in [
      "-1", "-0.001", "100.001", "101", "1e400", "-1e400", #""5""#, "true", "[]", "{}",
    ] {
      let path = try refusedPath("progress", #"{"progress":\#(value)}"#)
      #expect(path == "params.context.progress", "\(value)")
    }
  }

  @Test("a progress of minus nothing is nothing")
  func negativeZero() throws {
    let progress = try #require(try context("progress", #"{"progress":-0.0}"#).progress)
    #expect(progress.sign == .plus)
  }

  @Test("videoUrl has 1 to 2,048 bytes and no control characters")
  func videoURL() throws {
    for value in ["a", text("a", 2_048), text("é", 1_024)] {
      #expect(try refusedPath("complete", #"{"videoUrl":\#(quoted(value))}"#) == nil)
    }
    for value in ["", text("a", 2_049), text("é", 1_024) + "a", "a\nb", "a\u{7F}", "a\u{9F}"] {
      let path = try refusedPath("complete", #"{"videoUrl":\#(quoted(value))}"#)
      #expect(path == "params.context.videoUrl")
    }
    #expect(try refusedPath("complete", #"{"videoUrl":5}"#) == "params.context.videoUrl")
  }

  @Test("an error may have any characters")
  func errorCharacters() throws {
    for value in ["", "a\u{0}b\n\u{9F}", text("a", 8_192), text("é", 4_096)] {
      let error = try #require(try context("fail", #"{"error":\#(quoted(value))}"#).error)
      #expect(error.hasSameBytes(as: value))
    }
    #expect(try refusedPath("fail", #"{"error":["a"]}"#) == "params.context.error")
  }

  @Test(
    "an error of more than 8,192 bytes is cut at a code point, with … in its 8,192",
    arguments: ["a", "é", "€", "😀", "👩‍👩‍👧‍👦", "e\u{301}", "\r\n"]
  )
  func errorCut(_ unit: String) throws {
    for shift in 0..<8 {
      let long = text("x", shift) + text(unit, 8_200)
      let error = try #require(try context("fail", #"{"error":\#(quoted(long))}"#).error)
      let bytes = Array(error.utf8)
      #expect(bytes.count <= 8_192)
      // A code point has 4 bytes at most.
      #expect(bytes.count > 8_192 - 4)
      #expect(bytes.suffix(3) == Array("…".utf8)[...])
      #expect(long.utf8.starts(with: bytes.dropLast(3)))
    }
  }

  @Test("metadata has 16 KiB as compact JSON, and no byte more")
  func metadataBytes() throws {
    let frame = #"{"a":""}"#.utf8.count
    let full = #"{ "a" : "\#(text("x", 16_384 - frame))" }"#
    #expect(try refusedPath("start", #"{"metadata":\#(full)}"#) == nil)
    let over = #"{"a":"\#(text("x", 16_385 - frame))"}"#
    #expect(try refusedPath("start", #"{"metadata":\#(over)}"#) == "params.context.metadata")
    let wide = #"{"a":"\#(text("é", 8_193 - frame / 2))"}"#
    #expect(try refusedPath("start", #"{"metadata":\#(wide)}"#) == "params.context.metadata")
    let escaped = #"{"a":"\#(text(#"\u00e9"#, (16_384 - frame) / 2))"}"#
    #expect(try refusedPath("start", #"{"metadata":\#(escaped)}"#) == nil)
  }

  @Test("metadata has 8 levels, the object being the first")
  func metadataDepth() throws {
    func nested(_ levels: Int) -> String {
      #"{"a":"# + text("[", levels - 1) + text("]", levels - 1) + "}"
    }
    #expect(try refusedPath("start", #"{"metadata":\#(nested(8))}"#) == nil)
    #expect(try refusedPath("start", #"{"metadata":\#(nested(9))}"#) == "params.context.metadata")
  }

  @Test("metadata is an object whose numbers a double holds")
  func metadataKind() throws {
    for value in ["[]", "5", #""a""#, "true", #"{"a":1e400}"#, #"{"a":[{"b":-1e999}]}"#] {
      #expect(try refusedPath("start", #"{"metadata":\#(value)}"#) == "params.context.metadata")
    }
    let change = try #require(
      try context("start", #"{"metadata":{ "b" : 1.50 , "a" : null, "b" : 2 }}"#).metadata
    )
    #expect(change.text == #"{"a":null,"b":2}"#)
  }

  // MARK: - Timeouts

  private func timeouts(_ event: String, _ timeouts: String) -> String {
    #"{"id":"a","event":"\#(event)","timeouts":\#(timeouts)}"#
  }

  @Test("timeouts go with start and regenerate only", arguments: Event.allCases)
  func timeoutsWithStart(_ event: Event) throws {
    for value in ["{}", #"{"queuedMs":1}"#] {
      let path = try RenderProtocolTests.refusedPath(
        of: TransitionMethod.self,
        timeouts(event.rawValue, value)
      )
      #expect(path == (event == .start ? nil : "params.timeouts"))
    }
    let regenerate = #"{"id":"a","timeouts":{"totalMs":5}}"#
    #expect(try read(RegenerateMethod.self, regenerate).timeouts.total == 5)
  }

  @Test("a timeout is a whole number from 0 to 366 days; absent and null are the flag's")
  func timeoutBounds() throws {
    let kind = ParamKind.integer(0...MethodParams.day366)
    for name in ["queuedMs", "stallMs", "totalMs"] {
      for value in kind.good + ["0", "null"] {
        let params = timeouts("start", #"{"\#(name)":\#(value)}"#)
        #expect(try RenderProtocolTests.refusedPath(of: TransitionMethod.self, params) == nil)
      }
      for (value, _) in kind.bad {
        let params = timeouts("start", #"{"\#(name)":\#(value)}"#)
        let path = try RenderProtocolTests.refusedPath(of: TransitionMethod.self, params)
        #expect(path == "params.timeouts.\(name)", "\(value)")
      }
    }
    let asked = try read(
      TransitionMethod.self,
      timeouts("start", #"{"queuedMs":0,"stallMs":null}"#)
    ).timeouts
    #expect(asked.queued == 0)
    #expect(asked.stall == nil)
    #expect(asked.total == nil)
  }

  @Test("timeouts are an object with names that exist")
  func timeoutShape() throws {
    for (value, path) in [
      ("[]", "params.timeouts"), ("5", "params.timeouts"),
      (#"{"queued":5}"#, "params.timeouts.queued"),
    ] {
      let refused = try RenderProtocolTests.refusedPath(
        of: TransitionMethod.self,
        timeouts("start", value)
      )
      #expect(refused == path)
    }
  }
}
