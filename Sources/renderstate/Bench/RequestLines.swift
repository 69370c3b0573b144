internal import JSON

/// A line for each of the renders, written before the clock runs, and how the answers begin.
struct RequestLines: Sendable {
  private let bytes: [UInt8]
  /// Where each line begins, and the last one ends.
  private let bounds: [Int]
  private let beginnings: [[UInt8]]

  var count: Int { beginnings.count }

  private init(_ method: String, params: (Int, inout JSONWriter) -> Void) {
    var writer = JSONWriter()
    var bounds = [0]
    for render in 0..<BenchMeasure.renders {
      writer.request(Int64(render), method) { writer in
        writer.member("id", .string("render-\(render)"))
        params(render, &writer)
      }
      bounds.append(writer.count)
    }
    bytes = writer.bytes
    self.bounds = bounds
    beginnings = (0..<BenchMeasure.renders).map {
      Array(#"{"jsonrpc":"2.0","id":\#($0),"result":"#.utf8)
    }
  }

  static let getStatus = RequestLines("getStatus") { _, _ in }

  static let start = RequestLines("transition") { _, writer in
    writer.member("event", .string("start"))
  }

  /// What a renderer tells over and over: each is a change, a row of the log, and no end.
  static let progress = RequestLines("transition") { render, writer in
    writer.member("event", .string("progress"))
    writer.key("context")
    writer.beginObject()
    writer.member("progress", .integer(Int64(render % 100)))
    writer.endObject()
  }

  func lines(_ range: Range<Int>) -> ArraySlice<UInt8> {
    bytes[bounds[range.lowerBound]..<bounds[range.upperBound]]
  }

  /// Whether this is the answer to a line, and no error.
  func isAnswered(_ line: Int, by answer: UnsafeRawBufferPointer) -> Bool {
    answer.starts(with: beginnings[line])
  }

  /// Whether this is a line as it was sent, without its end.
  func isEchoed(_ line: Int, by answer: UnsafeRawBufferPointer) -> Bool {
    answer.elementsEqual(lines(line..<line + 1).dropLast())
  }
}
