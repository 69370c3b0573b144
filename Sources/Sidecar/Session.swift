internal import JSONRPC
public import Logging
public import RenderModel
internal import RenderProtocol
internal import RenderStore

/// What the command decides once for a sidecar.
public struct Settings: Sendable {
  /// The program's version, as `initialize` tells it.
  public var version: String
  /// The clocks of a start that names none.
  public var defaultTimeouts: Timeouts
  public var retention: Retention
  public var clock: any Clock
  public var logger: Logger

  public init(
    version: String,
    defaultTimeouts: Timeouts = .off,
    retention: Retention = Retention(),
    clock: any Clock = SystemClock(),
    logger: Logger
  ) {
    self.version = version
    self.defaultTimeouts = defaultTimeouts
    self.retention = retention
    self.clock = clock
    self.logger = logger
  }
}

/// What the handlers of one connection share.
final class Session {
  let store: RenderStore
  let settings: Settings
  let feed: Feed
  var statistics: Statistics
  /// Set by `shutdown`: what stands behind it is turned away.
  var isShuttingDown = false
  private let startedAt = monotonicNanoseconds()

  init(store: RenderStore, settings: Settings, methods: [String]) {
    self.store = store
    self.settings = settings
    feed = Feed(store: store)
    statistics = Statistics(methods: methods)
  }

  var uptimeMilliseconds: Int64 {
    Int64((monotonicNanoseconds() - startedAt) / 1_000_000)
  }

  let storeKind = StoreFigures.kind
}
