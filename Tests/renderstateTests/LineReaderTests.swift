import Foundation
import Testing

@testable import renderstate

@Suite("Lines of a child")
struct LineReaderTests {
  @Test("lines come whole, however they were cut, and what has no end is no line")
  func lines() throws {
    let long = String(repeating: "long ", count: 200_000)
    let expected = ["one", "", "two", long, "three"]
    let pipe = Pipe()
    let writer = Thread {
      let input = pipe.fileHandleForWriting
      for piece in ["one\n\nt", "wo\n", long, "\nthree\nno end"] { input.write(Data(piece.utf8)) }
      try? input.close()
    }
    writer.start()
    let reader = LineReader(pipe.fileHandleForReading.fileDescriptor)
    var lines: [String] = []
    while let line = reader.next() { lines.append(String(decoding: line, as: UTF8.self)) }
    #expect(lines == expected)
    #expect(reader.next() == nil)
  }

  @Test("it tells whether a line can be had without waiting")
  func waiting() {
    let pipe = Pipe()
    let reader = LineReader(pipe.fileHandleForReading.fileDescriptor)
    #expect(!reader.hasLine)
    pipe.fileHandleForWriting.write(Data("one\ntwo\nthr".utf8))
    #expect(reader.next()?.elementsEqual("one".utf8) == true)
    #expect(reader.hasLine)
    #expect(reader.next()?.elementsEqual("two".utf8) == true)
    #expect(!reader.hasLine)
  }
}
