import JSON
import Logging
import RenderModel
import RenderStore

@testable import renderstate

/// A database in which some things have happened, at the same times in every test.
struct OperatedStore {
  /// 2026-11-22T12:00:00Z, when it is looked at.
  static let now = Timestamp(milliseconds: 1_795_348_800_000)

  let path: String

  /// Makes it; it is closed behind this.
  init(at path: String) throws {
    self.path = path
    let store = try RenderStore.open(path: path, logger: .silent)
    defer { store.close() }
    try store.write { transaction throws(StoreError) in
      for (minutes, command) in Self.story {
        let at = Self.now.advanced(by: -minutes * 60_000)
        _ = try transaction.apply(command, at: at)
      }
    }
  }

  func use<Result>(_ body: (RenderStore) throws -> Result) throws -> Result {
    let store = try RenderStore.open(existing: path, for: .reading, logger: .silent)
    defer { store.close() }
    return try body(store)
  }

  /// What happened, and how many minutes ago.
  private static var story: [(Int64, Command)] {
    [
      (4_000, command("trailer", .start, by: "POST /render")),
      (3_998, command("trailer", .progress, Context(renderID: "r-1", bucketName: "videos"))),
      (3_990, command("trailer", .complete, Context(videoURL: "https://v.example/trailer.mp4"))),
      (130, command("teaser 🎬", .start, by: "POST /render")),
      (90, command("intro", .start, Context(metadata: title), by: "POST /render")),
      (80, command("intro", .fail, Context(error: "no such file:\n\u{1B}[31mintro.mov"))),
      (
        50,
        command(
          "intro",
          .start,
          by: "cli:ada",
          timeouts: Timeouts(queued: nil, stall: 3_600_000, total: nil)
        )
      ),
      (48, command("intro", .progress, Context(renderID: "r-2", progress: 12.5), by: "poller")),
      (3, command("intro", .progress, Context(progress: 41.25), by: "poller")),
      (2, command("credits", .start, by: "POST /render")),
      (1, command("credits", .cancel, by: "cli:ada")),
    ]
  }

  private static var title: MetadataChange {
    guard case .object(let object)? = try? JSON(reading: #"{"title":"Spring"}"#) else {
      preconditionFailure("an object")
    }
    return MetadataChange(object)
  }

  private static func command(
    _ id: String,
    _ event: Event,
    _ context: Context = Context(),
    by actor: String? = nil,
    timeouts: Timeouts = .off
  ) -> Command {
    Command(id: id, action: .event(event), context: context, actor: actor, timeouts: timeouts)
  }
}

extension Logger {
  static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
