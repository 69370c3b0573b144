internal import Foundation

/// What is rendered: moving test pictures, or a file that turns out not to be there.
struct Encoding: Sendable {
  enum Input: Sendable {
    /// A video source of ffmpeg's (lavfi).
    case pattern(String)
    case file(String)
  }

  let name: String
  let input: Input
  let seconds: Int

  static let framesPerSecond = 30
  var frames: Int { seconds * Self.framesPerSecond }
}

struct EncodedVideo: Sendable {
  let url: String
  /// nil where there is no file.
  let file: (path: String, bytes: Int64)?
}

/// The encoder has ended without a video.
struct EncodingFailure: Error {
  /// What it said last.
  let lastLine: String
}

protocol Encoder: Sendable {
  /// The actor of what it tells.
  var name: String { get }

  /// Encodes in as many seconds as the video has, and tells the frames done as it goes.
  ///
  /// What `progress` throws ends it, and is thrown on when it has ended.
  func encode(_ encoding: Encoding, progress: (_ frames: Int) throws -> Void) throws -> EncodedVideo
}

/// Takes the time that ffmpeg would take, and makes nothing.
struct SimulatedEncoder: Encoder {
  private static let reportsPerSecond = 10

  let name = "simulation"

  func encode(
    _ encoding: Encoding,
    progress: (_ frames: Int) throws -> Void
  ) throws -> EncodedVideo {
    if case .file(let path) = encoding.input {
      Thread.sleep(forTimeInterval: 0.1)
      throw EncodingFailure(lastLine: "\(path): No such file or directory")
    }
    let reports = encoding.seconds * Self.reportsPerSecond
    for report in 1...reports {
      Thread.sleep(forTimeInterval: 1 / Double(Self.reportsPerSecond))
      try progress(encoding.frames * report / reports)
    }
    return EncodedVideo(url: "https://videos.example/\(encoding.name).mp4", file: nil)
  }
}
