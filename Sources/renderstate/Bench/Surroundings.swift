internal import Foundation
internal import JSON
internal import RenderStore
internal import SQLiteConfig

/// What figures mean nothing without: the versions, the promise, the disk, the machine.
struct Surroundings: Sendable {
  let folder: URL
  let synchronous: RenderStore.Synchronous
  let sqliteVersion = String(cString: sqlite3_libversion())
  let processors = ProcessInfo.processInfo.activeProcessorCount
  let processorModel = Self.readProcessorModel()

  func lines(_ paint: Paint) -> [String] {
    [
      paint("renderstate \(RenderStateCommand.version) bench", .bold)
        + ": SQLite \(sqliteVersion), synchronous \(synchronous.rawValue)",
      "in \(folder.fileSystemPath)",
      "on \(processors) × \(processorModel ?? "a processor without a name")",
      "",
    ]
  }

  func write(to writer: inout JSONWriter) {
    writer.member("renderstateVersion", .string(RenderStateCommand.version))
    writer.member("sqliteVersion", .string(sqliteVersion))
    writer.member("synchronous", .string(synchronous.rawValue))
    writer.member("folder", .string(folder.fileSystemPath))
    writer.member("processors", .integer(Int64(processors)))
    writer.member("processorModel", processorModel.map(JSON.string) ?? .null)
  }

  /// As proc(5) has it; some architectures name none.
  private static func readProcessorModel() -> String? {
    let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    let line = text?.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
  }
}
