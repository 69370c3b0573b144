import JSON
import Testing

@testable import RenderModel

@Suite("Metadata")
struct MetadataTests {
  private func merged(_ stored: String, _ change: String) throws -> String? {
    let metadata = try #require(Metadata(stored: stored))
    return metadata.merging(try MetadataChange(spelled: change))?.text
  }

  @Test(
    "keys are merged at the top level, and null removes",
    arguments: [
      ("{}", #"{"a":1}"#, #"{"a":1}"#),
      (#"{"a":1}"#, "{}", #"{"a":1}"#),
      (#"{"a":1,"b":2}"#, #"{"a":3}"#, #"{"a":3,"b":2}"#),
      (#"{"a":1,"b":2}"#, #"{"a":null}"#, #"{"b":2}"#),
      (#"{"a":1}"#, #"{"a":null}"#, "{}"),
      ("{}", #"{"a":null}"#, "{}"),
      (#"{"a":{"x":1,"y":2}}"#, #"{"a":{"y":null}}"#, #"{"a":{"y":null}}"#),
      (#"{"a":[1]}"#, #"{"a":[null]}"#, #"{"a":[null]}"#),
      (#"{"a":1}"#, #"{"":"empty"}"#, #"{"a":1,"":"empty"}"#),
    ]
  )
  func merging(stored: String, change: String, result: String) throws {
    #expect(try merged(stored, change) == result)
  }

  @Test("keys that differ in bytes stay apart, though Swift holds them for equal")
  func canonicallyEquivalentKeys() throws {
    let text = try #require(try merged("{\"\u{e9}\":1}", "{\"e\u{301}\":2}"))
    #expect(Array(text.utf8) == Array("{\"\u{e9}\":1,\"e\u{301}\":2}".utf8))
    let removed = try #require(try merged("{\"\u{e9}\":1}", "{\"e\u{301}\":null}"))
    #expect(Array(removed.utf8) == Array("{\"\u{e9}\":1}".utf8))
  }

  @Test("every event merges its metadata", arguments: Event.allCases)
  func everyEvent(event: Event) throws {
    var story = Story()
    let metadata = try MetadataChange(spelled: #"{"k":1}"#)
    if event != .start { try story.take(.start, .progress) }
    try story.accept(.event(event), Context(metadata: metadata))
    #expect(story.render.metadata.text == #"{"k":1}"#)
    #expect(story.log.last?.metadata == #"{"k":1}"#)
  }

  @Test("merged metadata of 16 KiB is accepted, of one byte more is refused")
  func limit() throws {
    let half = String(repeating: "x", count: 8_000)
    var story = try Story(in: .queued)
    try story.accept(.event(.progress), Context(metadata: .init(spelled: "{\"a\":\"\(half)\"}")))
    // What is stored, a comma, and a member of quotes, key and colon.
    let rest = Metadata.maximumBytes - story.render.metadata.text.utf8.count - 1 - 6
    let exact = String(repeating: "y", count: rest)
    let tooLong = try MetadataChange(spelled: "{\"b\":\"\(exact)y\"}")
    #expect(story.refusal(.event(.progress), Context(metadata: tooLong)) == .metadataTooLarge)
    try story.accept(.event(.progress), Context(metadata: .init(spelled: "{\"b\":\"\(exact)\"}")))
    #expect(story.render.metadata.text.utf8.count == 16_384)
    #expect(
      story.refusal(.event(.progress), Context(metadata: try .init(spelled: #"{"c":0}"#)))
        == .metadataTooLarge
    )
  }

  @Test("the limit counts what is left after keys were removed")
  func limitAfterRemoval() throws {
    let long = String(repeating: "x", count: 10_000)
    var story = try Story(in: .queued)
    try story.accept(.event(.progress), Context(metadata: .init(spelled: "{\"a\":\"\(long)\"}")))
    try story.accept(
      .event(.progress),
      Context(metadata: .init(spelled: "{\"a\":null,\"b\":\"\(long)\"}"))
    )
    #expect(story.render.metadata.text == "{\"b\":\"\(long)\"}")
  }

  @Test("the limit counts UTF-8 bytes")
  func limitInBytes() throws {
    let wide = String(repeating: "é", count: 8_200)
    let story = try Story(in: .queued)
    #expect(
      story.refusal(.event(.progress), Context(metadata: try .init(spelled: "{\"a\":\"\(wide)\"}")))
        == .metadataTooLarge
    )
  }

  @Test("what a store kept is taken if it is an object, on one line")
  func stored() {
    #expect(Metadata(stored: #"{"a":[1,{"b":null}]}"#)?.text == #"{"a":[1,{"b":null}]}"#)
    #expect(Metadata(stored: "{\n  \"a\": 1\n}")?.text == #"{"a":1}"#)
    for text in ["", "[]", "null", "{", "{}{}", "text"] { #expect(Metadata(stored: text) == nil) }
  }
}
