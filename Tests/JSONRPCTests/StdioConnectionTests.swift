import Foundation
import JSON
import Support
import Testing

@testable import JSONRPC

@Suite("A connection over descriptors")
struct StdioConnectionTests {
  private let toSidecar: Pipe
  private let fromSidecar: Pipe

  init() throws {
    // A write to a pipe nobody reads is to fail, not to end the process.
    signal(SIGPIPE, SIG_IGN)
    toSidecar = try Pipe()
    fromSidecar = try Pipe()
  }

  private func connect(maximumLineBytes: Int = defaultMaximumLineBytes) -> Connection {
    Connection.stdio(
      input: toSidecar.readEnd,
      output: fromSidecar.writeEnd,
      maximumLineBytes: maximumLineBytes
    )
  }

  /// Takes items until there are so many or none will come.
  private func items(_ count: Int, of connection: Connection) -> [Inbox.Item] {
    var taken: [Inbox.Item] = []
    while taken.count < count, !connection.inbox.isExhausted {
      connection.wait(milliseconds: -1, orReadable: -1) { !connection.inbox.hasNews }
      taken += connection.inbox.takeAll()
    }
    return taken
  }

  @Test("requests and answers keep their order under load", arguments: [false, true])
  func order(isNonBlocking: Bool) {
    if isNonBlocking {
      setNonBlocking(toSidecar.readEnd)
      setNonBlocking(fromSidecar.writeEnd)
    }
    let count = 20_000
    let connection = connect()
    let asking = Companion { [toSidecar] in
      var random = SplitMix64(seed: 3)
      var text: [UInt8] = []
      for number in 0..<count {
        text += Array(#"{"jsonrpc":"2.0","id":\#(number),"method":"m"}"#.utf8)
        text.append(UInt8(ascii: "\n"))
      }
      var rest = text[...]
      while !rest.isEmpty {
        let chunk = rest.prefix(1 + random.below(5_000))
        toSidecar.write(chunk)
        rest = rest.dropFirst(chunk.count)
      }
      toSidecar.closeWriteEnd()
    }
    let listening = Companion { [fromSidecar] in fromSidecar.readAll() }

    var writer = ResponseWriter()
    while !connection.inbox.isExhausted {
      connection.wait(milliseconds: -1, orReadable: -1) {
        !connection.inbox.hasNews || !connection.outbox.hasRoom(below: 10_000)
      }
      guard connection.outbox.hasRoom(below: 10_000) else { continue }
      for item in connection.inbox.takeAll() {
        guard case .success(.request(let request)) = item.content else {
          Issue.record("\(spelled(item))")
          continue
        }
        writer.answer(request.id, at: item.place) { $0.null() }
      }
      connection.outbox.put(writer.take())
    }
    connection.outbox.end()
    #expect(connection.outbox.waitUntilWritten(stallLimit: .seconds(600)))
    fromSidecar.closeWriteEnd()

    let expected = (0..<count).map { #"{"jsonrpc":"2.0","id":\#($0),"result":null}"# + "\n" }
    #expect(listening.outcome().map { String(decoding: $0, as: UTF8.self) } == expected.joined())
    #expect(asking.outcome() != nil)
    #expect(connection.outbox.bytesWritten == UInt64(expected.joined().utf8.count))
  }

  @Test("the end of the stream ends the inbox, and a line without its end counts")
  func endOfStream() {
    let connection = connect()
    toSidecar.write(Array("7\n8".utf8))
    toSidecar.closeWriteEnd()
    #expect(items(.max, of: connection).map { spelled($0) } == ["invalid null", "invalid null"])
    #expect(connection.inbox.isExhausted)
    #expect(connection.isQuiet)
  }

  @Test("a stream that ends at once ends the inbox")
  func emptyStream() {
    let connection = connect()
    toSidecar.closeWriteEnd()
    #expect(items(1, of: connection).isEmpty)
    #expect(connection.inbox.isExhausted)
  }

  @Test("an input that cannot be read ends the inbox")
  func unreadableInput() {
    let directory = open("/", O_RDONLY)
    defer { close(directory) }
    let connection = Connection.stdio(input: directory, output: fromSidecar.writeEnd)
    #expect(items(1, of: connection).isEmpty)
    #expect(connection.inbox.isExhausted)
  }

  @Test("a line over the limit is told before its end, and the lines behind it are read")
  func tooLong() {
    let connection = connect(maximumLineBytes: 100)
    toSidecar.write([UInt8](repeating: UInt8(ascii: "x"), count: 101))
    #expect(items(1, of: connection).map { spelled($0) } == ["invalid null"])
    let asking = Companion { [toSidecar] in
      toSidecar.write([UInt8](repeating: UInt8(ascii: "x"), count: 200_000))
      toSidecar.write(Array("\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}\r\n".utf8))
    }
    #expect(items(1, of: connection).map { spelled($0) } == ["request 1 m {}"])
    #expect(asking.outcome() != nil)
    toSidecar.closeWriteEnd()
    #expect(items(1, of: connection).isEmpty)
  }

  @Test("the reader is idle when it has read all there is")
  func quiet() {
    let connection = connect()
    toSidecar.write(Array("7\n".utf8))
    #expect(items(1, of: connection).count == 1)
    while !connection.isQuiet {
      connection.wait(milliseconds: -1, orReadable: -1) { !connection.isQuiet }
    }
    toSidecar.closeWriteEnd()
    #expect(items(1, of: connection).isEmpty)
  }

  @Test("what one side sends while the other waits wakes it: one request at a time")
  func pingPong() {
    let connection = connect()
    let rounds = 2_000
    let asking = Companion { [toSidecar, fromSidecar] in
      var answers = 0
      for _ in 0..<rounds {
        toSidecar.write(Array("7\n".utf8))
        answers += fromSidecar.read(2).count
      }
      toSidecar.closeWriteEnd()
      return answers
    }
    var taken = 0
    while !connection.inbox.isExhausted {
      taken += items(1, of: connection).map { _ in connection.outbox.put(Array("8\n".utf8)) }.count
    }
    #expect(taken == rounds)
    #expect(asking.outcome() == 2 * rounds)
  }

  @Test("a closed reading end breaks the outbox, before a write and in the middle of one")
  func closedReader() {
    let connection = connect()
    connection.outbox.put([UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20))
    #expect(fromSidecar.read(10).count == 10)
    fromSidecar.closeReadEnd()
    while !connection.outbox.isBroken {
      connection.wait(milliseconds: -1, orReadable: -1) { !connection.outbox.isBroken }
    }
    #expect(connection.outbox.hasRoom(below: 1))
    #expect(connection.outbox.waitUntilWritten(stallLimit: .zero))
    #expect(connection.outbox.bytesWritten < 1 << 20)
    toSidecar.closeWriteEnd()
    #expect(items(1, of: connection).isEmpty)
  }

  @Test("an outbox whose reader is gone from the start breaks at the first line")
  func noReader() {
    fromSidecar.closeReadEnd()
    let connection = connect()
    #expect(!connection.outbox.isBroken)
    connection.outbox.put(Array("8\n".utf8))
    while !connection.outbox.isBroken {
      connection.wait(milliseconds: -1, orReadable: -1) { !connection.outbox.isBroken }
    }
    #expect(connection.outbox.bytesWritten == 0)
    toSidecar.closeWriteEnd()
    #expect(items(1, of: connection).isEmpty)
  }

  @Test("who takes nothing is given up, and who takes all again is not", arguments: [false, true])
  func stalledReader(isNonBlocking: Bool) {
    if isNonBlocking { setNonBlocking(fromSidecar.writeEnd) }
    let connection = connect()
    let size = 1 << 20
    connection.outbox.put([UInt8](repeating: UInt8(ascii: "x"), count: size))
    connection.outbox.end()
    #expect(!connection.outbox.waitUntilWritten(stallLimit: .milliseconds(20)))
    #expect(connection.outbox.bytesWritten < size)
    let listening = Companion { [fromSidecar] in fromSidecar.read(size).count }
    #expect(connection.outbox.waitUntilWritten(stallLimit: .seconds(600)))
    #expect(listening.outcome() == size)
    toSidecar.closeWriteEnd()
    #expect(items(1, of: connection).isEmpty)
  }
}

private func setNonBlocking(_ descriptor: Int32) {
  _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
}
