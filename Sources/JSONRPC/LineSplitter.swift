/// Cuts a stream of bytes into lines, and holds no more of a line than its limit.
struct LineSplitter {
  enum Piece {
    /// A line without its end (`\n` or `\r\n`).
    case line(UnsafeRawBufferPointer)
    /// A line turned out to be over the limit; told once, as soon as it is seen.
    case tooLong
  }

  /// The most bytes of a line, its end not counted.
  let limit: Int
  private(set) var partial: [UInt8] = []
  private var isDiscarding = false

  init(limit: Int) {
    self.limit = limit
  }

  /// Takes the next bytes and hands out every piece that ends or fails in them.
  mutating func take(_ chunk: UnsafeRawBufferPointer, _ body: (Piece) -> Void) {
    var rest = chunk
    while !rest.isEmpty {
      guard let newline = rest.firstIndex(of: UInt8(ascii: "\n")) else {
        keep(rest, body)
        return
      }
      finish(UnsafeRawBufferPointer(rebasing: rest[..<newline]), body)
      rest = UnsafeRawBufferPointer(rebasing: rest[(newline + 1)...])
    }
  }

  /// Takes the end of the stream: what stands there without an end counts as a line.
  mutating func end(_ body: (Piece) -> Void) {
    guard !isDiscarding, !partial.isEmpty else { return }
    partial.withUnsafeBytes { body($0.count > limit ? .tooLong : .line($0)) }
    partial = []
  }

  private mutating func keep(_ bytes: UnsafeRawBufferPointer, _ body: (Piece) -> Void) {
    guard !isDiscarding else { return }
    let size = partial.count + bytes.count
    // One byte more is no excess yet if it may be the first of a `\r\n`.
    guard size <= limit || (size == limit + 1 && bytes.last == UInt8(ascii: "\r")) else {
      isDiscarding = true
      partial = []
      body(.tooLong)
      return
    }
    partial.append(contentsOf: bytes)
  }

  private mutating func finish(_ bytes: UnsafeRawBufferPointer, _ body: (Piece) -> Void) {
    guard !isDiscarding else {
      isDiscarding = false
      return
    }
    guard !partial.isEmpty else {
      body(piece(bytes))
      return
    }
    partial.append(contentsOf: bytes)
    partial.withUnsafeBytes { body(piece($0)) }
    partial.removeAll(keepingCapacity: partial.capacity <= 1 << 16)
  }

  private func piece(_ line: UnsafeRawBufferPointer) -> Piece {
    var line = line
    if line.last == UInt8(ascii: "\r") { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
    return line.count > limit ? .tooLong : .line(line)
  }
}
