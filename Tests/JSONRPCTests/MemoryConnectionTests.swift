import Testing

@testable import JSONRPC

@Suite("A connection in memory")
struct MemoryConnectionTests {
  @Test("lines arrive as items, in order, with their places")
  func items() {
    let (connection, host) = Connection.memory()
    host.send(#"{"jsonrpc":"2.0","id":1,"method":"a"}"#)
    host.send("")
    host.send(#"[{"jsonrpc":"2.0","id":2,"method":"b"},7,{"jsonrpc":"2.0","method":"c"}]"#)
    host.send("{")
    host.send(#"[{"jsonrpc":"2.0","id":3,"method":"d"}]"#)
    host.send(Array(#"{"jsonrpc":"2.0","id":4,"#.utf8))
    host.send(Array(#""method":"e"}"#.utf8))
    #expect(!connection.inbox.isExhausted)
    host.end()
    #expect(
      connection.inbox.takeAll().map { spelled($0) } == [
        "request 1 a {}", "batched request 2 b {}", "batched invalid null",
        "last notification c {}",
        "unreadable null", "last request 3 d {}", "request 4 e {}",
      ]
    )
    #expect(connection.inbox.isExhausted)
  }

  @Test("an item tells when it was read")
  func readAt() throws {
    let (connection, host) = Connection.memory()
    let before = monotonicNanoseconds()
    host.send("7")
    host.send("8")
    let items = connection.inbox.takeAll()
    let times = [before] + items.map(\.readAt) + [monotonicNanoseconds()]
    #expect(times.count == 4)
    #expect(times == times.sorted())
  }

  @Test("a line over the limit is one invalid message, before its end, and the next one is read")
  func tooLong() throws {
    let (connection, host) = Connection.memory(maximumLineBytes: 40)
    host.send([UInt8](repeating: UInt8(ascii: " "), count: 41))
    let item = try #require(connection.inbox.takeAll().first)
    #expect(spelled(item) == "invalid null")
    guard case .failure(let error) = item.content, case .notARequest(let reason) = error.reason
    else {
      Issue.record("the line was read")
      return
    }
    #expect(reason == "a line of more than 40 bytes")
    host.send([UInt8](repeating: UInt8(ascii: " "), count: 1_000))
    #expect(!connection.inbox.hasNews)
    host.send("")
    host.send(#"{"jsonrpc":"2.0","id":1,"method":"abc"}"#)
    #expect(connection.inbox.takeAll().map { spelled($0) } == ["request 1 abc {}"])
  }

  @Test("the line limit is 1 MiB if none is named")
  func defaultLimit() {
    let (connection, host) = Connection.memory()
    let empty = #"{"jsonrpc":"2.0","id":1,"method":""}"#
    let filler = String(repeating: "m", count: 1 << 20 - empty.utf8.count)
    host.send(empty.replacing(#":""}"#, with: #":"\#(filler)"}"#))
    #expect(connection.inbox.takeAll().map { spelled($0) } == ["request 1 \(filler) {}"])
    host.send(empty.replacing(#":""}"#, with: #":"\#(filler)m"}"#))
    #expect(connection.inbox.takeAll().map { spelled($0) } == ["invalid null"])
  }

  @Test("the host receives lines in order, however they were put, and nil at the end")
  func receive() {
    let (connection, host) = Connection.memory()
    connection.outbox.put(Array("a\nb\nhal".utf8))
    #expect(host.receive() == "a")
    connection.outbox.put(Array("f\n\n".utf8))
    connection.outbox.end()
    #expect(host.receive() == "b")
    #expect(host.receive() == "half")
    #expect(host.receive() == "")
    #expect(host.receive() == nil)
    #expect(connection.outbox.waitUntilWritten(stallLimit: .zero))
    #expect(connection.outbox.bytesWritten == 10)
  }

  @Test("it is quiet between the host's messages")
  func quiet() {
    let (connection, host) = Connection.memory()
    #expect(connection.isQuiet)
    host.send("7")
    #expect(!connection.isQuiet)
    _ = connection.inbox.takeAll()
    #expect(connection.isQuiet)
    host.end()
    #expect(connection.isQuiet)
  }
}
