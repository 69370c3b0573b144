internal import Foundation
internal import Glibc
internal import Synchronization

/// What the demo leaves behind, and what it does not: its processes, its folders, its videos.
final class Workplace: Sendable {
  /// The temporary folder: the database, unfinished videos, what the processes say on stderr.
  let folder: URL
  /// nil for a new one in the system's temporary folder, made when the first video is finished.
  private let chosenOutput: URL?
  private let state = Mutex(State())

  /// Taken once, before the working directory is another one.
  private static let temporaryFolder = FileManager.default.temporaryDirectory.absoluteURL

  private struct State {
    var isClosed = false
    var children: [ChildProcess] = []
    var newOutput: URL?
    var videos: [URL] = []
  }

  init(output: String?) throws {
    chosenOutput = try output.map(Self.writableFolder)
    folder = try Self.makeTemporaryFolder("renderstate-demo-work")
    // What ffmpeg says is shorter where it is given names instead of paths.
    _ = FileManager.default.changeCurrentDirectoryPath(folder.fileSystemPath)
  }

  var database: String { folder.appending(path: "demo.sqlite").fileSystemPath }

  func start(_ executable: String, _ arguments: [String], log: String) throws -> ChildProcess {
    try state.withLock { state in
      guard !state.isClosed else { throw DemoError(message: "the demo is ending") }
      let child = try ChildProcess(executable, arguments, log: folder.appending(path: log))
      state.children.append(child)
      return child
    }
  }

  /// Moves a finished video out of the temporary folder, to where it stays.
  func keep(_ name: String) throws -> URL {
    try state.withLock { state in
      guard !state.isClosed else { throw DemoError(message: "the demo is ending") }
      let output =
        try chosenOutput ?? state.newOutput ?? Self.makeTemporaryFolder("renderstate-demo")
      if chosenOutput == nil { state.newOutput = output }
      let video = output.appending(path: "renderstate-demo-\(name)")
      do {
        try? FileManager.default.removeItem(at: video)
        try FileManager.default.moveItem(at: folder.appending(path: name), to: video)
      } catch {
        throw DemoError(message: "\(video.fileSystemPath) cannot be written: \(error)")
      }
      state.videos.append(video)
      return video
    }
  }

  /// Ends what still runs and removes what is not to stay.
  func close(keepingVideos: Bool) {
    let state = state.withLock { state in
      state.isClosed = true
      return state
    }
    for child in state.children { child.terminate() }
    for child in state.children { child.waitForEnd(seconds: 3) }
    try? FileManager.default.removeItem(at: folder)
    guard !keepingVideos else { return }
    for video in state.videos { try? FileManager.default.removeItem(at: video) }
    if let output = state.newOutput { try? FileManager.default.removeItem(at: output) }
  }

  private static func writableFolder(_ path: String) throws -> URL {
    let url = URL(filePath: path, directoryHint: .isDirectory).absoluteURL
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DemoError(message: "there is no folder \(path); make it first, or leave out --output")
    }
    guard isFolder.boolValue else {
      throw DemoError(message: "\(path) is not a folder; --output takes the folder for the MP4s")
    }
    // What is allowed shows only when it is tried: the rights of a folder are not the whole story.
    var template = Array(url.appending(path: "renderstate-demo-XXXXXX").fileSystemPath.utf8CString)
    let probe = mkstemp(&template)
    guard probe >= 0 else {
      let reason = String(cString: strerror(errno))
      throw DemoError(
        message: "nothing can be written to \(path): \(reason); choose another --output"
      )
    }
    Glibc.close(probe)
    unlink(template)
    return url
  }

  private static func makeTemporaryFolder(_ name: String) throws -> URL {
    var template = Array(
      temporaryFolder.appending(path: "\(name)-XXXXXX").fileSystemPath.utf8CString
    )
    guard mkdtemp(&template) != nil else {
      let reason = String(cString: strerror(errno))
      throw DemoError(
        message:
          "no folder can be made in \(temporaryFolder.fileSystemPath): \(reason); set TMPDIR to one"
      )
    }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    return URL(filePath: path, directoryHint: .isDirectory)
  }
}
