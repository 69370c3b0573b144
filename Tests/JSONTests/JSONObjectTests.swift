import JSON
import Testing

@Suite("Objects")
struct JSONObjectTests {
  private func object(_ text: String) throws -> JSONObject {
    try #require(try JSON(reading: text).object)
  }

  private func merged(_ text: String, with changes: String) throws -> String {
    var merged = try object(text)
    merged.merge(try object(changes))
    return JSON.object(merged).compactText
  }

  @Test("members stand in the order in which they were written")
  func order() throws {
    let text = #"{"z":1,"a":2,"m":3,"":4}"#
    #expect(try JSON(reading: text).compactText == text)
    #expect(try object(text).members.map(\.key) == ["z", "a", "m", ""])
  }

  @Test(
    "of several members with one key the last one counts, few or many",
    arguments: [0, 1, 8, 9, 10, 11, 12, 13, 100]
  )
  func duplicates(others: Int) throws {
    let filler = (0..<others).map { ",\"k\($0)\":\($0)" }.joined()
    let text = "{\"a\":1,\"b\":2,\"a\":null\(filler),\"a\":3}"
    #expect(try JSON(reading: text).compactText == "{\"b\":2\(filler),\"a\":3}")
    #expect(try object(text).members.count == others + 2)
  }

  @Test("a key that was repeated with null has the value null", arguments: [0, 20])
  func duplicateNull(others: Int) throws {
    let filler = (0..<others).map { "\"k\($0)\":0," }.joined()
    let object = try object("{\"a\":1,\(filler)\"a\":null}")
    #expect(object["a"].map { $0.isSame(as: .null) } == true)
  }

  @Test("a member per key is left where all are repeated", arguments: [2, 12, 13, 1_000])
  func allEqual(count: Int) throws {
    let members = (0..<count).map { "\"a\":\($0)" }.joined(separator: ",")
    #expect(try JSON(reading: "{\(members)}").compactText == "{\"a\":\(count - 1)}")
  }

  @Test("keys are equal by what they say, escaped or not")
  func escapedKeys() throws {
    #expect(try JSON(reading: #"{"a":1,"\u0061":2}"#).compactText == #"{"a":2}"#)
  }

  @Test("keys that are canonically equivalent but differ in bytes stay apart", arguments: [0, 20])
  func equivalentKeys(others: Int) throws {
    let filler = (0..<others).map { ",\"k\($0)\":0" }.joined()
    let object = try object("{\"\u{E9}\":1,\"e\u{301}\":2\(filler)}")
    #expect(object.members.count == others + 2)
    #expect(object["\u{E9}"].map { $0.isSame(as: .integer(1)) } == true)
    #expect(object["e\u{301}"].map { $0.isSame(as: .integer(2)) } == true)
    var merged = object
    merged.merge(try self.object("{\"e\u{301}\":null}"))
    #expect(merged["\u{E9}"] != nil)
    #expect(merged["e\u{301}"] == nil)
  }

  @Test("a key that no member has gives nothing")
  func absentKey() throws {
    #expect(try object(#"{"a":1}"#)["b"] == nil)
    #expect(JSONObject()["a"] == nil)
  }

  // MARK: - Merging

  @Test(
    "merging sets at the place where a key stands, adds at the end, and null removes",
    arguments: [
      (#"{"a":1,"b":2}"#, #"{}"#, #"{"a":1,"b":2}"#),
      (#"{}"#, #"{"a":1,"b":2}"#, #"{"a":1,"b":2}"#),
      (#"{"a":1,"b":2,"c":3}"#, #"{"b":20}"#, #"{"a":1,"b":20,"c":3}"#),
      (#"{"a":1,"b":2,"c":3}"#, #"{"d":4,"a":10}"#, #"{"a":10,"b":2,"c":3,"d":4}"#),
      (#"{"a":1,"b":2,"c":3}"#, #"{"b":null}"#, #"{"a":1,"c":3}"#),
      (#"{"a":1}"#, #"{"a":null}"#, #"{}"#),
      (#"{"a":1}"#, #"{"b":null}"#, #"{"a":1}"#),
      (#"{"a":1,"b":2,"c":3}"#, #"{"a":null,"d":4,"c":30}"#, #"{"b":2,"c":30,"d":4}"#),
      (#"{"a":1}"#, #"{"a":2,"b":3,"a":null}"#, #"{"b":3}"#),
      (#"{"a":{"x":1}}"#, #"{"a":{"y":null}}"#, #"{"a":{"y":null}}"#),
      (#"{"a":[1,2]}"#, #"{"a":[null]}"#, #"{"a":[null]}"#),
    ]
  )
  func merge(stored: String, changes: String, result: String) throws {
    #expect(try merged(stored, with: changes) == result)
  }

  @Test("merging twice gives what merging once gave")
  func mergeTwice() throws {
    let changes = #"{"b":null,"c":{"d":1},"a":2}"#
    let once = try merged(#"{"a":1,"b":2}"#, with: changes)
    #expect(try merged(once, with: changes) == once)
  }

  // MARK: - Texts by their bytes

  @Test("an exact text equals another one only byte by byte")
  func exactText() {
    #expect(ExactText("a") == ExactText("a"))
    #expect(ExactText("\u{E9}") != ExactText("e\u{301}"))
    #expect(ExactText("a") != ExactText("a\0"))
    #expect(Set([ExactText("\u{E9}"), ExactText("e\u{301}"), ExactText("\u{E9}")]).count == 2)
    #expect("\u{E9}" == "e\u{301}" && !"\u{E9}".hasSameBytes(as: "e\u{301}"))
  }
}
