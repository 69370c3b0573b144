internal import Foundation
internal import Glibc

/// The ffmpeg of this machine.
struct FFmpeg: Encoder {
  let name = "ffmpeg"
  private let path: String
  private let codec: [String]
  private let workplace: Workplace
  private let videos: VideoFolder

  /// Why there is no ffmpeg to use, in one line.
  struct Unusable: Error {
    let reason: String
  }

  init(_ workplace: Workplace, _ videos: VideoFolder) throws {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let paths = folders.map { "\($0)/ffmpeg" }
    guard let path = paths.first(where: { access($0, X_OK) == 0 }) else {
      throw Unusable(reason: "ffmpeg is not on the PATH (to get it: apt-get install ffmpeg)")
    }
    let probe = try workplace.start(
      path,
      Self.quiet + ["-encoders"],
      log: "ffmpeg-encoders.log"
    )
    probe.closeInput()
    var hasX264 = false
    probe.forEachLine { hasX264 = hasX264 || $0.contains(" libx264 ") }
    guard probe.waitForEnd() == .exited(0) else {
      let reason = probe.lastLogLine.map { " (\($0))" } ?? ""
      throw Unusable(reason: "\(path) does not work here\(reason); version 4.4 or newer is needed")
    }
    self.path = path
    self.workplace = workplace
    self.videos = videos
    // Without a look ahead, what is reported is what has been rendered.
    codec =
      hasX264
      ? ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
      : ["-c:v", "mpeg4", "-q:v", "5"]
  }

  /// Errors only on stderr, and ten reports a second.
  private static let quiet = [
    "-hide_banner", "-nostdin", "-loglevel", "error", "-stats_period", "0.1",
  ]

  func encode(
    _ encoding: Encoding,
    progress: (_ frames: Int) throws -> Void
  ) throws -> EncodedVideo {
    let file = "\(encoding.name).mp4"
    let ffmpeg = try workplace.start(
      path,
      Self.quiet + ["-progress", "pipe:1"] + input(encoding) + codec + [
        "-frames:v", "\(encoding.frames)", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-y",
        file,
      ],
      log: "ffmpeg-\(encoding.name).log"
    )
    ffmpeg.closeInput()
    do {
      try ffmpeg.forEachLine { line in
        guard line.hasPrefix("frame="), let frames = Int(line.dropFirst(6)), frames > 0 else {
          return
        }
        try progress(frames)
      }
    } catch {
      ffmpeg.terminate()
      ffmpeg.waitForEnd(seconds: 3)
      throw error
    }
    let ending = ffmpeg.waitForEnd()
    guard ending == .exited(0) else {
      throw EncodingFailure(lastLine: ffmpeg.lastLogLine ?? "ffmpeg \(ending) and said nothing")
    }
    let video = try videos.keep(workplace.folder.appending(path: file))
    let attributes = try FileManager.default.attributesOfItem(atPath: video.fileSystemPath)
    let bytes = (attributes[.size] as? NSNumber)?.int64Value ?? 0
    return EncodedVideo(url: video.absoluteString, file: (video.fileSystemPath, bytes))
  }

  private func input(_ encoding: Encoding) -> [String] {
    switch encoding.input {
    case .pattern(let pattern):
      // -re makes it take as long as the video lasts, for somebody to watch.
      [
        "-re", "-f", "lavfi", "-i", "\(pattern)=size=960x540:rate=\(Encoding.framesPerSecond)",
      ]
    case .file(let path):
      ["-i", path]
    }
  }
}
