import Foundation
import Support
import Testing

extension TemporaryFolder {
  /// The path without links, as the system names it: a process is found by the folder it runs in.
  var realPath: String { url.resolvingSymlinksInPath().path }

  /// No file in the folder, and no process that runs in it or on a database in it.
  func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let files = FileManager.default
    #expect(try files.contentsOfDirectory(atPath: realPath) == [], sourceLocation: sourceLocation)
    for process in try files.contentsOfDirectory(atPath: "/proc") {
      let folder = try? files.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd")
      let command = try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)
      #expect(
        folder?.contains(realPath) != true && command?.contains(realPath) != true,
        "process \(process) is left: \(command ?? "")",
        sourceLocation: sourceLocation
      )
    }
  }
}
