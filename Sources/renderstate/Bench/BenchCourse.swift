internal import Foundation
internal import RenderStore

/// All measures, each in its share of the time.
struct BenchCourse {
  /// How long one of several that take turns goes on, in milliseconds.
  private static let turn: Int64 = 20

  private let workplace: Workplace
  private let synchronous: RenderStore.Synchronous
  /// The time for one measure, in milliseconds.
  private let share: Int64
  private let progress: BenchProgress

  init(
    _ workplace: Workplace,
    _ synchronous: RenderStore.Synchronous,
    _ milliseconds: Int64,
    _ progress: BenchProgress
  ) {
    self.workplace = workplace
    self.synchronous = synchronous
    self.progress = progress
    share = milliseconds / Int64(BenchMeasure.allCases.count)
  }

  func run() throws -> BenchResults {
    progress.begin(BenchMeasure.startup.title, measures: 1)
    var figures = [BenchMeasure.startup: try starts()]

    let sidecar = try startSidecar("sidecar", on: "bench.sqlite")
    try sidecar.ask(.getStatus, 0)
    let atRest = sidecar.residentBytes
    for requests in [RequestLines.start, .progress] {
      _ = try sidecar.keepInFlight(requests) { sent in sent < requests.count }
    }
    for (requests, inFlight, streamed) in [
      (RequestLines.progress, BenchMeasure.transitionInFlight, BenchMeasure.transitionStreamed),
      (.getStatus, .getStatusInFlight, .getStatusStreamed),
    ] {
      progress.begin(inFlight.title, measures: 1)
      figures[inFlight] = try keepInFlight(requests, sidecar)
      progress.begin(streamed.title, measures: 1)
      figures[streamed] = try stream(requests, sidecar)
    }
    progress.begin("one at a time", measures: 4)
    // After the load: a write-ahead log that still grows costs more at each commit.
    figures.merge(try loneRequests(sidecar)) { $1 }
    let afterLoad = sidecar.residentBytes
    let requestsOfLoad = sidecar.answered

    progress.begin("notifications", measures: 2)
    let watcher = try startSidecar("watcher", on: "bench.sqlite")
    try watcher.subscribe()
    figures[.notification] = try notifications(from: watcher, to: watcher)
    figures[.notificationInOtherProcess] = try notifications(from: sidecar, to: watcher)
    watcher.stop()
    sidecar.stop()
    return BenchResults(
      figures: figures,
      residentBytesAtRest: atRest ?? 0,
      residentBytesAfterLoad: afterLoad ?? 0,
      requestsOfLoad: requestsOfLoad
    )
  }

  private func startSidecar(_ name: String, on database: String) throws -> BenchedChild {
    let arguments = [
      "serve", "--database", workplace.path(database), "--synchronous", synchronous.rawValue,
    ]
    return BenchedChild(try workplace.start("/proc/self/exe", arguments, log: "\(name).log"))
  }

  // MARK: - The measures

  private func starts() throws -> BenchFigures {
    /// Returns when the first answer is there.
    func start() throws -> BenchedChild {
      let sidecar = try startSidecar("start", on: "start.sqlite")
      try sidecar.ask(.getStatus, 0)
      return sidecar
    }
    // The first one makes the database.
    try start().stop()
    let window = BenchWindow(milliseconds: share)
    var times: [UInt64] = []
    repeat {
      let began = BenchWindow.now
      let sidecar = try start()
      times.append(BenchWindow.now - began)
      sidecar.stop()
    } while window.isOpen
    return BenchFigures(count: times.count, latency: BenchFigures.Latency(times))
  }

  /// The lone requests and what they are held against, by turns: whatever else the machine does in the
  /// meantime touches all of them alike.
  private func loneRequests(_ sidecar: BenchedChild) throws -> [BenchMeasure: BenchFigures] {
    let sqlite = SQLiteAlone()
    try workplace.whileOpen {
      try sqlite.open(path: workplace.path("alone.sqlite"), synchronous: synchronous)
    }
    let cat = BenchedChild(try workplace.start("cat", [], log: "cat.log"))
    let bodies: [(measure: BenchMeasure, body: (_ line: Int) throws -> Void)] = [
      (.diskCommit, { _ in try sqlite.commit() }),
      (.transition, { try sidecar.ask(.progress, $0) }),
      (.pipeRoundTrip, { try cat.echo(.getStatus, $0) }),
      (.getStatus, { try sidecar.ask(.getStatus, $0) }),
    ]
    var times = [[UInt64]](repeating: [], count: bodies.count)
    let window = BenchWindow(milliseconds: share * Int64(bodies.count))
    repeat {
      for (index, (_, body)) in bodies.enumerated() {
        let turn = BenchWindow(milliseconds: min(Self.turn, share))
        // The first one of a turn wakes what has slept meanwhile.
        try body(times[index].count % BenchMeasure.renders)
        repeat {
          let began = BenchWindow.now
          try body(times[index].count % BenchMeasure.renders)
          times[index].append(BenchWindow.now - began)
        } while turn.isOpen
      }
    } while window.isOpen
    cat.stop()
    try workplace.whileOpen { sqlite.close() }
    let figures = zip(bodies, times).map { body, times in
      let seconds = Double(times.reduce(0, +)) / 1e9
      let latency = BenchFigures.Latency(times)
      return (
        body.measure,
        BenchFigures(
          count: times.count,
          perSecond: Double(times.count) / seconds,
          latency: latency
        )
      )
    }
    return Dictionary(uniqueKeysWithValues: figures)
  }

  private func keepInFlight(
    _ requests: RequestLines,
    _ child: BenchedChild
  ) throws -> BenchFigures {
    let window = BenchWindow(milliseconds: share)
    let times = try child.keepInFlight(requests) { sent in sent == 0 || window.isOpen }
    return BenchFigures(
      count: times.count,
      perSecond: window.rate(times.count),
      latency: BenchFigures.Latency(times)
    )
  }

  private func stream(_ requests: RequestLines, _ child: BenchedChild) throws -> BenchFigures {
    let window = BenchWindow(milliseconds: share)
    let count = try child.stream(requests) { window.isOpen }
    return BenchFigures(count: count, perSecond: window.rate(count))
  }

  /// From the answer to a change, which comes when it is durable, to the notification of it.
  private func notifications(
    from sidecar: BenchedChild,
    to watcher: BenchedChild
  ) throws -> BenchFigures {
    let window = BenchWindow(milliseconds: share)
    var times: [UInt64] = []
    repeat {
      try sidecar.ask(.progress, times.count % RequestLines.progress.count)
      let answered = BenchWindow.now
      try watcher.takeNotification()
      times.append(BenchWindow.now - answered)
    } while window.isOpen
    return BenchFigures(count: times.count, latency: BenchFigures.Latency(times))
  }
}
