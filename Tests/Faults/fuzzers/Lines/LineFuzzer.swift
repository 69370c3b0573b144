/// Reads whatever libFuzzer comes up with as lines, with the program's own instrumented code: see
/// scenarios/fuzzing.py.
///
/// The first byte says where the bytes are cut in two, which must make no difference; and what was read as
/// JSON must be written and read again as the same.

internal import JSON
internal import JSONRPC
internal import Sidecar

/// What the lines of these pieces come to, one text for each.
private func reading(_ pieces: [[UInt8]]) -> [String] {
  let (connection, host) = Connection.memory(
    maximumLineBytes: 1_024,
    readingParams: Sidecar.readingParams
  )
  for piece in pieces { host.send(piece) }
  host.end()
  return connection.inbox.takeAll().map { item in
    switch item.content {
    case .success(.request(let request)): "\(item.place) request \(request.id) \(request.method)"
    case .success(.notification(let notification)):
      "\(item.place) notification \(notification.method)"
    case .success(.response): "\(item.place) response"
    case .failure(let invalid): "\(item.place) \(invalid.reason) \(invalid.id)"
    }
  }
}

private func checkSpelling(of line: UnsafeRawBufferPointer) {
  guard let json = try? JSON(reading: line), json.isRepresentable else { return }
  guard json.depth <= JSON.maximumDepth else { fatalError("nested deeper than is read") }
  let text = json.compactText
  guard let again = try? JSON(reading: text) else {
    fatalError("what was written cannot be read: \(text)")
  }
  guard again.compactText.utf8.elementsEqual(text.utf8) else {
    fatalError("it is not read as it was written: \(text)")
  }
  guard !text.utf8.contains(UInt8(ascii: "\n")) else { fatalError("an end within a line: \(text)") }
}

/// What libFuzzer calls with each input.
///
/// - Returns: always 0, as it wants it.
@_cdecl("LLVMFuzzerTestOneInput")
public func readLines(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  guard let first = bytes.first else { return 0 }
  let input = Array(bytes.dropFirst())
  let cut = min(Int(first), input.count)
  let whole = reading([input])
  let inPieces = reading([Array(input[..<cut]), Array(input[cut...])])
  guard whole == inPieces else {
    fatalError("cut at \(cut) it is read as \(inPieces), else as \(whole)")
  }
  for line in input.split(separator: UInt8(ascii: "\n")) {
    line.withUnsafeBytes(checkSpelling)
  }
  return 0
}
