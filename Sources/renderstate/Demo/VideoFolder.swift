internal import Foundation
internal import Glibc
internal import Synchronization

/// Where the finished videos stay: a folder that is named, or else a new temporary one.
final class VideoFolder: Sendable {
  /// nil for a new one in the system's temporary folder, made when the first video is finished.
  private let chosen: URL?
  private let state = Mutex(State())

  private struct State {
    var isClosed = false
    var new: URL?
    var videos: [URL] = []
  }

  init(output: String?) throws {
    chosen = try output.map(Self.writableFolder)
  }

  /// Moves a finished video to where it stays.
  func keep(_ file: URL) throws -> URL {
    try state.withLock { state in
      guard !state.isClosed else { throw CommandError(message: "the demo is ending") }
      let folder = try chosen ?? state.new ?? Demo.makeTemporaryFolder("renderstate-demo")
      if chosen == nil { state.new = folder }
      let video = folder.appending(path: "renderstate-demo-\(file.lastPathComponent)")
      do {
        try? FileManager.default.removeItem(at: video)
        try FileManager.default.moveItem(at: file, to: video)
      } catch {
        throw CommandError(message: "\(video.fileSystemPath) cannot be written: \(error)")
      }
      state.videos.append(video)
      return video
    }
  }

  /// Removes the videos, and the folder if it is a new one.
  func remove() {
    state.withLock { state in
      state.isClosed = true
      for video in state.videos { try? FileManager.default.removeItem(at: video) }
      if let new = state.new { try? FileManager.default.removeItem(at: new) }
    }
  }

  private static func writableFolder(_ path: String) throws -> URL {
    let url = URL(filePath: path, directoryHint: .isDirectory).absoluteURL
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CommandError(
        message: "there is no folder \(path); make it first, or leave out --output"
      )
    }
    guard isFolder.boolValue else {
      throw CommandError(message: "\(path) is not a folder; --output takes the folder for the MP4s")
    }
    // What is allowed shows only when it is tried: the rights of a folder are not the whole story.
    var template = Array(url.appending(path: "renderstate-demo-XXXXXX").fileSystemPath.utf8CString)
    let probe = mkstemp(&template)
    guard probe >= 0 else {
      let reason = String(cString: strerror(errno))
      throw CommandError(
        message: "nothing can be written to \(path): \(reason); choose another --output"
      )
    }
    close(probe)
    unlink(template)
    return url
  }
}
