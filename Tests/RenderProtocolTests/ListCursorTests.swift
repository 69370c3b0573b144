import JSON
import RenderModel
import Support
import Testing

@testable import RenderProtocol

@Suite("The cursor of a list")
struct ListCursorTests {
  @Test(
    "a cursor reads what it has written",
    arguments: [
      (0, 1), (1_795_348_800_000, 42), (-1, 1), (-1_000_000, 9_007_199_254_740_991),
      (.max, .max), (.min, 1),
    ] as [(Int64, Int64)]
  )
  func roundTrip(_ milliseconds: Int64, _ seq: Int64) {
    let cursor = ListCursor(updatedAt: Timestamp(milliseconds: milliseconds), seq: seq)
    #expect(ListCursor(text: cursor.text) == cursor)
  }

  @Test(
    "a cursor that is not ours is refused",
    arguments: [
      "", "c1", "c1-", "c1-1", "c1--", "c1-1-", "c1--1", "c1-1-0", "c1-1--1", "c1-1-1-1", "c2-1-1",
      "C1-1-1", "c1-A-1", "c1-1-A", "c1-+1-1", "c1-1-+1", "c1-01-1", "c1-1-01", " c1-1-1",
      "c1-1-1 ", "c1-1-1\n", "c1-é-1", "c1---1-1", "c1--0-1", "c1-zzzzzzzzzzzzzzzz-1",
      "c1-1-zzzzzzzzzzzzzzzz", "s1", "not one of ours",
    ]
  )
  func foreign(_ text: String) throws {
    #expect(ListCursor(text: text) == nil)
    let path = try refusedPath(of: ListStatusesMethod.self, #"{"cursor":\#(quoted(text))}"#)
    #expect(path == "params.cursor")
  }

  @Test("a cursor is a text", arguments: ["5", "[]", "{}", "true"])
  func kind(_ value: String) throws {
    let path = try refusedPath(of: ListStatusesMethod.self, #"{"cursor":\#(value)}"#)
    #expect(path == "params.cursor")
  }

  @Test("the answer's cursor is taken as a param")
  func param() throws {
    let cursor = ListCursor(updatedAt: Timestamp(milliseconds: 77), seq: 5)
    let answer = try JSON(reading: written(ListStatusesMethod.Answer(renders: [], next: cursor)))
    let text = try #require(answer["nextCursor"]?.string)
    #expect(try read(ListStatusesMethod.self, #"{"cursor":"\#(text)"}"#).cursor == cursor)
    #expect(try read(ListStatusesMethod.self, #"{"cursor":null}"#).cursor == nil)
  }
}
