import JSON
import Testing

@testable import JSONRPC

@Suite("Writing answers")
struct ResponseWriterTests {
  private let error = RPCError(
    code: -32_601,
    message: "no \"x\"",
    data: Array(#"{"kind":"k"}"#.utf8)
  )

  private func expect(
    _ writer: borrowing ResponseWriter,
    isInsideBatch expected: Bool,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let isInsideBatch = writer.isInsideBatch
    #expect(isInsideBatch == expected, sourceLocation: sourceLocation)
  }

  private func taken(_ writer: inout ResponseWriter) -> String {
    String(decoding: writer.take(), as: UTF8.self)
  }

  @Test("an answer is one line with version, id and result")
  func answer() {
    var writer = ResponseWriter()
    writer.answer(.string("a"), at: .alone) { result in
      result.beginObject()
      result.endObject()
    }
    writer.finish(.alone)
    #expect(taken(&writer) == #"{"jsonrpc":"2.0","id":"a","result":{}}"# + "\n")
    let count = writer.count
    #expect(count == 0)
  }

  @Test("an error is one line with code, message and data")
  func errorAnswer() {
    var writer = ResponseWriter()
    writer.answer(.null, at: .alone, error: error)
    writer.finish(.alone)
    #expect(
      taken(&writer)
        == #"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no \"x\"","data":{"kind":"k"}}}"#
        + "\n"
    )
  }

  @Test("ids of every kind are repeated")
  func ids() {
    var writer = ResponseWriter()
    for id in [RequestID.integer(.min), .number(2.5), .string("\n"), .null] {
      writer.answer(id, at: .alone) { $0.null() }
    }
    #expect(
      taken(&writer)
        == #"{"jsonrpc":"2.0","id":-9223372036854775808,"result":null}"# + "\n"
        + #"{"jsonrpc":"2.0","id":2.5,"result":null}"# + "\n"
        + #"{"jsonrpc":"2.0","id":"\n","result":null}"# + "\n"
        + #"{"jsonrpc":"2.0","id":null,"result":null}"# + "\n"
    )
  }

  @Test("a notification is one line without an id")
  func notification() {
    var writer = ResponseWriter()
    writer.notify("status") { params in
      params.beginObject()
      params.key("skipped")
      params.integer(0)
      params.endObject()
    }
    #expect(
      taken(&writer) == #"{"jsonrpc":"2.0","method":"status","params":{"skipped":0}}"# + "\n"
    )
  }

  @Test("the answers of a batch are one array, written piece by piece, on one line")
  func batch() {
    var writer = ResponseWriter()
    let places: [Inbox.Place] = [
      .inBatch(isLast: false), .inBatch(isLast: false), .inBatch(isLast: true),
    ]
    writer.answer(.integer(1), at: places[0]) { $0.bool(true) }
    writer.finish(places[0])
    expect(writer, isInsideBatch: true)
    #expect(taken(&writer) == #"[{"jsonrpc":"2.0","id":1,"result":true}"#)
    writer.answer(.integer(2), at: places[1], error: error)
    writer.finish(places[1])
    expect(writer, isInsideBatch: true)
    let second = #"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no \"x\""#
    #expect(taken(&writer) == "," + second + #"","data":{"kind":"k"}}}"#)
    writer.answer(.integer(3), at: places[2]) { $0.null() }
    writer.finish(places[2])
    expect(writer, isInsideBatch: false)
    #expect(taken(&writer) == #",{"jsonrpc":"2.0","id":3,"result":null}]"# + "\n")
  }

  @Test("a batch whose last message is owed nothing still ends its array")
  func batchEndsWithNotification() {
    var writer = ResponseWriter()
    writer.finish(.inBatch(isLast: false))
    writer.answer(.integer(1), at: .inBatch(isLast: false)) { $0.null() }
    writer.finish(.inBatch(isLast: false))
    writer.finish(.inBatch(isLast: true))
    #expect(taken(&writer) == #"[{"jsonrpc":"2.0","id":1,"result":null}]"# + "\n")
    expect(writer, isInsideBatch: false)
  }

  @Test("a batch of notifications leaves nothing")
  func batchOfNotifications() {
    var writer = ResponseWriter()
    writer.finish(.inBatch(isLast: false))
    writer.finish(.inBatch(isLast: true))
    let taken = writer.take()
    #expect(taken.isEmpty)
    expect(writer, isInsideBatch: false)
  }

  @Test("lines follow one another without anything between them")
  func sequence() {
    var writer = ResponseWriter()
    writer.answer(.integer(1), at: .inBatch(isLast: true)) { $0.null() }
    writer.finish(.inBatch(isLast: true))
    writer.notify("n") { $0.null() }
    writer.answer(.integer(2), at: .inBatch(isLast: true)) { $0.null() }
    writer.finish(.inBatch(isLast: true))
    writer.answer(.integer(3), at: .alone) { $0.null() }
    writer.finish(.alone)
    let lines = [
      #"[{"jsonrpc":"2.0","id":1,"result":null}]"#,
      #"{"jsonrpc":"2.0","method":"n","params":null}"#,
      #"[{"jsonrpc":"2.0","id":2,"result":null}]"#, #"{"jsonrpc":"2.0","id":3,"result":null}"#, "",
    ]
    let count = writer.count
    #expect(count == lines.joined(separator: "\n").utf8.count)
    #expect(taken(&writer) == lines.joined(separator: "\n"))
  }

  @Test("what was written since a mark is forgotten, the beginning of a batch included")
  func rewinding() {
    var writer = ResponseWriter()
    writer.answer(.integer(1), at: .alone) { $0.null() }
    let mark = writer.mark
    writer.answer(.integer(2), at: .inBatch(isLast: false)) { $0.null() }
    writer.rewind(to: mark)
    expect(writer, isInsideBatch: false)
    writer.answer(.integer(3), at: .alone) { $0.null() }
    let lines = [1, 3].map { #"{"jsonrpc":"2.0","id":\#($0),"result":null}"# + "\n" }
    #expect(taken(&writer) == lines.joined())
  }
}
