internal import ArgumentParser
internal import Foundation
internal import JSON
internal import RenderModel
internal import RenderStore
internal import Sidecar

struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune",
    abstract: "Remove renders that ended long ago, and old progress from the log.",
    discussion: """
      In small steps beside the sidecars, none of which waits longer than some milliseconds. An age \
      is a number with ms, s, m, h or d, like 30d; a bare number is seconds. \
      `serve --keep-finished` and `--keep-progress` do the same by themselves.

      --finished-before removes the completed and failed renders that have not changed for so long, \
      with all of their log and their idempotency keys. Such an id is idle again, with version 0; \
      when it is started anew, its version goes on from where it was, and its old renderIds are \
      still refused, so that no late report of the old render touches the new one.

      --progress-log-before removes progress from the log of the other renders. Changes of state \
      stay, and so does the last progress of each render before that time. What the renders are \
      does not change.

      The newest change in the log always stays, and so does its render; what is younger than two \
      seconds is waited for, until its subscribers have heard of it. Who subscribes with an \
      afterSeq behind which something is missing that would have been told gets gap: true. The file \
      does not shrink; what has become free in it is used again.

      With --json: one object with dryRun, renders, changes (those of these renders), progress (the \
      changes of others), steps and longestPauseMs, the longest that the others had to wait for a \
      step. Ctrl-C ends it behind a step; what is left is for the next time.
      """
  )

  @Option(help: ArgumentHelp("Remove renders that ended so long ago.", valueName: "age"))
  var finishedBefore: AgeArgument?

  @Option(help: ArgumentHelp("Remove progress that is so old from the log.", valueName: "age"))
  var progressLogBefore: AgeArgument?

  @Flag(help: "Only count what would be removed.")
  var dryRun = false

  @OptionGroup var database: ExistingDatabase

  @Flag(help: "Print JSON instead, one object a line.")
  var json = false

  func validate() throws {
    guard finishedBefore != nil || progressLogBefore != nil else {
      throw ValidationError("Say what is old: --finished-before, --progress-log-before or both.")
    }
  }

  func run() throws {
    let work = StoppableWork()
    let output = CommandOutput(isJSON: json)
    let now = SystemClock().now()
    let limits = PruningLimits(
      finished: finishedBefore.map { now.advanced(by: -$0.milliseconds) },
      progress: progressLogBefore.map { now.advanced(by: -$0.milliseconds) }
    )
    let progress = WorkProgress()
    let stop = Promise<Void>()
    let youngest = [finishedBefore, progressLogBefore].compactMap { $0?.milliseconds }.min() ?? 0
    let report = Promise<PruneReport>()
    let ending = work.run {
      let result = try database.use(for: dryRun ? .reading : .changing) { store in
        let course = try PruneCourse(store, limits, progress, stop)
        if dryRun { return try course.foresee() }
        // Who subscribes hears of a change within a second.
        _ = stop.wait(seconds: Double(PruningLimits.leastAge - youngest) / 1_000)
        return try course.prune()
      }
      report.put(result)
    }
    progress.settle()
    if case .stopped = ending {
      // The step that is under way ends as it would have.
      stop.put(())
      _ = report.wait(seconds: 2)
    }
    try ending.throwUnlessDone()
    if json {
      try output.print(json: [report.wait()]) { $0.write(to: &$1) }
    } else {
      try output.print([report.wait().line])
    }
  }
}

/// Pruning from its beginning to its end, or until somebody stops it.
private struct PruneCourse {
  private let store: RenderStore
  private let limits: PruningLimits
  private let progress: WorkProgress
  private let stop: Promise<Void>
  private let forecast: PruningForecast
  private let extent: (renders: Int64, seq: Int64)

  init(
    _ store: RenderStore,
    _ limits: PruningLimits,
    _ progress: WorkProgress,
    _ stop: Promise<Void>
  ) throws {
    self.store = store
    self.limits = limits
    self.progress = progress
    self.stop = stop
    forecast = try PruningForecast(store, limits)
    extent = try forecast.extent()
  }

  func prune() throws -> PruneReport {
    var pruning = try Pruning(store, limits)
    var report = PruneReport(isDryRun: false)
    while true {
      let step = try pruning.step()
      store.checkpointIfDue()
      report.count = pruning.count
      report.steps += 1
      report.longestPause = max(report.longestPause, step.pause)
      show(pruning.count, pruning.searched)
      // The others have their turn.
      if step.isLast || stop.wait(seconds: step.pause / .seconds(1)) != nil { return report }
    }
  }

  func foresee() throws -> PruneReport {
    var forecast = forecast
    while try !forecast.step(), stop.wait(seconds: 0) == nil {
      show(forecast.count, forecast.searched)
    }
    var report = PruneReport(isDryRun: true)
    report.count = forecast.count
    return report
  }

  private func show(_ count: PrunedCount, _ searched: Int64) {
    if count.renders < extent.renders, searched == forecast.searched {
      progress.show("finished renders", Double(count.renders) / Double(extent.renders))
    } else if extent.seq > forecast.searched {
      let length = Double(extent.seq - forecast.searched)
      progress.show("old progress", min(1, Double(searched - forecast.searched) / length))
    }
  }
}
