internal import Foundation
internal import Glibc
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
  /// How many threads wanted a processor in the last minute, before the bench.
  let load = Self.readLoad()

  func lines(_ paint: Paint) -> [String] {
    [
      paint("renderstate \(RenderStateCommand.version) bench", .bold)
        + ": SQLite \(sqliteVersion), synchronous \(synchronous.rawValue)",
      "in \(folder.fileSystemPath)",
      "on \(processors) × \(processorModel ?? "a processor without a name"), "
        + "load before \(String(format: "%.1f", load))",
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
    writer.member("loadBefore", .number((load * 100).rounded() / 100))
  }

  private static func readLoad() -> Double {
    var load = 0.0
    _ = getloadavg(&load, 1)
    return load
  }

  /// As proc(5) has it; some architectures name none.
  private static func readProcessorModel() -> String? {
    let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    let line = text?.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
  }
}
