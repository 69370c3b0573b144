public import ArgumentParser
internal import Foundation
internal import JSONRPC
internal import Logging
internal import RenderModel
public import RenderStore
internal import Sidecar

/// The sidecar itself.
struct Serve: ParsableCommand {
  /// Made before the arguments are read, if it is this command.
  static let watch = HostWatch()

  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve one host over stdin and stdout.",
    discussion: """
      Reads one JSON-RPC 2.0 message a line from stdin and answers on stdout; logs go to stderr. \
      The method rpc.discover tells the methods. Ends with code 0 at the end of stdin, on SIGTERM \
      or SIGINT, on the method shutdown, and when its parent is gone; with code 1 if the database \
      cannot be opened.

      Several processes may serve one database on a local disk at the same time.

      Durations are a number with ms, s, m or h, like 90s or 1.5h; a bare number is seconds.
      """
  )

  @Option(
    help: ArgumentHelp(
      "The database: a file, made if it is not there.",
      discussion: "Without it: $RENDERSTATE_DATABASE, else renderstate.sqlite in this folder.",
      valueName: "path"
    )
  )
  var database: String?

  @Option(
    help: ArgumentHelp(
      "What an answer to a change promises: full or normal.",
      discussion: """
        full: the change is on disk, and survives a power cut. normal: faster, survives a killed \
        process, and may be lost with the power.
        """,
      valueName: "level"
    )
  )
  var synchronous = RenderStore.Synchronous.full

  @Option(
    help: ArgumentHelp(
      "How long to wait for the locks of other processes before storeBusy.",
      valueName: "duration"
    )
  )
  var busyTimeout = DurationArgument(milliseconds: 5_000)

  @Option(
    help: ArgumentHelp(
      "Fail a render that is still queued after this; 0 is off.",
      valueName: "duration"
    )
  )
  var queuedTimeout = DurationArgument(milliseconds: 0)

  @Option(
    help: ArgumentHelp(
      "Fail a render that is rendering and has had no event for this long; 0 is off.",
      valueName: "duration"
    )
  )
  var stallTimeout = DurationArgument(milliseconds: 0)

  @Option(
    help: ArgumentHelp(
      "Fail an attempt that is older than this, time in the queue included; 0 is off.",
      valueName: "duration"
    )
  )
  var totalTimeout = DurationArgument(milliseconds: 0)

  @Option(
    help: ArgumentHelp(
      "Remove renders that have ended so long ago, with their log; 0 is off, as without it.",
      discussion:
        "What that means, `renderstate prune --help` tells. Also a number with d, for days.",
      valueName: "age"
    )
  )
  var keepFinished: AgeArgument?

  @Option(
    help: ArgumentHelp(
      "Remove progress that is so old from the log of the others; 0 is off, as without it.",
      valueName: "age"
    )
  )
  var keepProgress: AgeArgument?

  @Option(
    help: ArgumentHelp("The longest line that is read, without its end.", valueName: "bytes")
  )
  var maxLineBytes = defaultMaximumLineBytes

  @Option(
    help: ArgumentHelp(
      "How the lines of the log on stderr look: text, or json, an object a line.",
      valueName: "format"
    )
  )
  var logFormat = StandardErrorLog.Format.text

  @Option(
    help: ArgumentHelp(
      "The least that is logged: trace, debug, info, notice, warning, error or critical.",
      discussion: "From debug on each request that is refused has a line.",
      valueName: "level"
    ),
    transform: { level in
      guard let level = Logger.Level(rawValue: level) else {
        throw ValidationError("there is no such level")
      }
      return level
    }
  )
  var logLevel = Logger.Level.notice

  func validate() throws {
    guard (1...(1 << 30)).contains(maxLineBytes) else {
      throw ValidationError("--max-line-bytes must be from 1 to \(1 << 30).")
    }
    try DatabasePath.validate(database)
  }

  func run() throws {
    let watch = Self.watch
    let output = try OwnedOutput.take()
    watch.start(input: STDIN_FILENO, output: output)
    let log = StandardErrorLog(format: logFormat, logLevel: logLevel)
    let logger = Logger(label: "renderstate") { _ in log }
    guard !DatabasePath.namesPostgreSQL(DatabasePath.chosen(database)) else {
      throw ExitCode.failure(DatabasePath.noPostgreSQL)
    }
    let store: RenderStore
    do {
      store = try openStore(logger, watch.stop)
    } catch {
      // Who was told to stop did not wait for the locks to the end, and nothing was read yet.
      if watch.hasStopped { throw ExitCode.success }
      log.fail("\(error)")
      throw ExitCode(1)
    }
    let connection = Connection.stdio(
      input: STDIN_FILENO,
      output: output,
      maximumLineBytes: maxLineBytes,
      readingParams: Sidecar.readingParams
    )
    watch.hand(connection)
    let settings = Settings(
      version: RenderStateCommand.version,
      defaultTimeouts: Timeouts(
        queued: queuedTimeout.millisecondsUnlessZero,
        stall: stallTimeout.millisecondsUnlessZero,
        total: totalTimeout.millisecondsUnlessZero
      ),
      retention: Retention(
        finished: keepFinished?.millisecondsUnlessZero,
        progress: keepProgress?.millisecondsUnlessZero
      ),
      logger: logger
    )
    Sidecar(store: store, connection: connection, settings: settings).run()
    store.close()
  }

  private func openStore(
    _ logger: Logger,
    _ stop: StopNotice
  ) throws(StoreOpenError) -> RenderStore {
    let options = RenderStore.Options(
      synchronous: synchronous,
      busyTimeout: .milliseconds(busyTimeout.milliseconds),
      stop: stop
    )
    let path = DatabasePath.chosen(database)
    return try RenderStore.open(path: path, options: options, logger: logger)
  }
}

extension RenderStore.Synchronous: ExpressibleByArgument {}
