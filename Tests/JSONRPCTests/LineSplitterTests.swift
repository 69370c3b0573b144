import Support
import Testing

@testable import JSONRPC

@Suite("Cutting bytes into lines")
struct LineSplitterTests {
  private enum Piece: Equatable {
    case line([UInt8])
    case tooLong
  }

  private func pieces(_ chunks: [[UInt8]], limit: Int, ends: Bool = false) -> [Piece] {
    var splitter = LineSplitter(limit: limit)
    var pieces: [Piece] = []
    func note(_ piece: LineSplitter.Piece) {
      switch piece {
      case .line(let bytes): pieces.append(.line(Array(bytes)))
      case .tooLong: pieces.append(.tooLong)
      }
    }
    for chunk in chunks { chunk.withUnsafeBytes { splitter.take($0, note) } }
    if ends { splitter.end(note) }
    return pieces
  }

  private func pieces(_ chunks: String..., limit: Int, ends: Bool = false) -> [Piece] {
    pieces(chunks.map { Array($0.utf8) }, limit: limit, ends: ends)
  }

  private func line(_ text: String) -> Piece {
    .line(Array(text.utf8))
  }

  @Test("a line ends with a newline, with or without a carriage return before it")
  func lineEnds() {
    #expect(pieces("a\nb\r\n\n\r\nc", limit: 9) == [line("a"), line("b"), line(""), line("")])
  }

  @Test("only one carriage return belongs to the end of a line, and none stands for one")
  func carriageReturns() {
    #expect(pieces("a\r\r\nb\rc\n", limit: 9) == [line("a\r"), line("b\rc")])
  }

  @Test(
    "a line of exactly the limit is let through, one byte more is not",
    arguments: ["\n", "\r\n"]
  )
  func limit(lineEnd: String) {
    #expect(pieces("abcd" + lineEnd, limit: 4) == [line("abcd")])
    #expect(pieces("abcde" + lineEnd, limit: 4) == [.tooLong])
    #expect(pieces("abcde" + lineEnd + "x\n", limit: 4) == [.tooLong, line("x")])
  }

  @Test("at the limit a carriage return may come in a chunk of its own, and so may its newline")
  func splitLineEnd() {
    #expect(pieces("abcd\r", "\n", "x\n", limit: 4) == [line("abcd"), line("x")])
    #expect(pieces("abcd", "\r", "\n", "x\n", limit: 4) == [line("abcd"), line("x")])
    #expect(pieces("abcd", "\r\n", "x\n", limit: 4) == [line("abcd"), line("x")])
  }

  @Test("a carriage return beyond the limit with no newline behind it is an excess")
  func carriageReturnBeyondLimit() {
    #expect(pieces("abcd\r", "x", limit: 4) == [.tooLong])
    #expect(pieces("abcd\r", "x\n", "y\n", limit: 4) == [.tooLong, line("y")])
    #expect(pieces("abcd\r", "\r\n", "y\n", limit: 4) == [.tooLong, line("y")])
    #expect(pieces("abcd\r", limit: 4, ends: true) == [.tooLong])
  }

  @Test("a line over the limit is told once, before its end is there")
  func tooLongIsToldOnce() {
    #expect(pieces("abcde", limit: 4) == [.tooLong])
    #expect(pieces("abc", "de", "fgh", "ijk", limit: 4) == [.tooLong])
    #expect(pieces("abcde", "fghijk\n", "x\n", limit: 4) == [.tooLong, line("x")])
    #expect(pieces("abcde", limit: 4, ends: true) == [.tooLong])
    #expect(pieces("abcde", "\n", "abcde", "\n", limit: 4) == [.tooLong, .tooLong])
  }

  @Test("of a line over the limit nothing is held")
  func nothingHeld() {
    var splitter = LineSplitter(limit: 1_000)
    let chunk = [UInt8](repeating: UInt8(ascii: "a"), count: 600)
    var told = 0
    for number in 0..<100 {
      chunk.withUnsafeBytes { splitter.take($0) { _ in told += 1 } }
      #expect(splitter.partial.count == (number == 0 ? 600 : 0))
    }
    #expect(splitter.partial.capacity == 0)
    #expect(told == 1)
  }

  @Test("what stands at the end without a newline is a line, if there is anything")
  func unterminated() {
    #expect(pieces("a\nbc", limit: 4, ends: true) == [line("a"), line("bc")])
    #expect(pieces("a\nabcd", limit: 4, ends: true) == [line("a"), line("abcd")])
    #expect(pieces("a\n", limit: 4, ends: true) == [line("a")])
    #expect(pieces("", limit: 4, ends: true).isEmpty)
    #expect(pieces(limit: 4, ends: true).isEmpty)
  }

  @Test("a stream gives the same pieces however it is cut into chunks")
  func chunkings() {
    var random = SplitMix64(seed: 7)
    let alphabet = Array("aaaa\n\n\r".utf8)
    for _ in 0..<2_000 {
      let limit = random.below(6)
      let stream = (0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] }
      let expected = linesOfWhole(stream, limit: limit)
      #expect(pieces([stream], limit: limit, ends: true) == expected)
      #expect(pieces(stream.map { [$0] }, limit: limit, ends: true) == expected)
      var chunks: [[UInt8]] = []
      var rest = stream[...]
      while !rest.isEmpty {
        let size = random.below(min(rest.count, 8) + 1)
        chunks.append(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      #expect(pieces(chunks, limit: limit, ends: true) == expected, "\(chunks)")
    }
  }

  /// The same, told from the whole stream in the plainest way.
  private func linesOfWhole(_ stream: [UInt8], limit: Int) -> [Piece] {
    var lines = stream.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let unterminated = lines.removeLast()
    var whole = lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    if !unterminated.isEmpty { whole.append(unterminated) }
    return whole.map { $0.count > limit ? .tooLong : .line(Array($0)) }
  }
}
