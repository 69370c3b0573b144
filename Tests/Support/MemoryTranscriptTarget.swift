internal import RenderModel

/// A sidecar in memory as a story's other side; it understands the arguments that stories use.
public final class MemoryTranscriptTarget: TranscriptTarget {
  private let folder: TemporaryFolder
  private var sidecar: MemorySidecar?

  public init() throws {
    folder = try TemporaryFolder()
  }

  public func start(_ arguments: [String]) throws {
    var timeouts = Timeouts.off
    var maximumLineBytes = 1 << 20
    for index in stride(from: 0, to: arguments.count, by: 2) {
      let value = arguments[index + 1]
      switch arguments[index] {
      case "--max-line-bytes": maximumLineBytes = try number(value)
      case "--queued-timeout": timeouts.queued = Int64(try number(value.trimmingUnit("ms")))
      case let name: throw Unexpected("\(name) has no meaning in memory yet")
      }
    }
    sidecar = try MemorySidecar(
      folder,
      defaultTimeouts: timeouts,
      maximumLineBytes: maximumLineBytes
    )
  }

  public func send(_ bytes: [UInt8]) throws {
    sidecar?.send(bytes)
  }

  public func receive() throws -> String? {
    try sidecar?.receiveLine()
  }

  public func kill() throws {
    try sidecar?.crash()
  }

  public func end() throws {
    sidecar?.endInput()
    try sidecar?.join()
  }

  private func number(_ text: String) throws -> Int {
    guard let number = Int(text) else { throw Unexpected("\(text) is no number") }
    return number
  }
}

extension String {
  fileprivate func trimmingUnit(_ unit: String) -> String {
    hasSuffix(unit) ? String(dropLast(unit.count)) : self
  }
}
