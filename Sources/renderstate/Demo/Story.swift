internal import Foundation
internal import JSON
internal import Synchronization

/// Three renders at once: one that completes, one that fails and is retried, one that is cancelled.
final class Story: Sendable {
  static let ids = ["trailer", "intro", "credits"]

  private static let bucket = "demo-videos"

  private let screen: any Screen
  private let encoder: any Encoder
  private let workplace: Workplace
  private let sidecar: SidecarClient
  private let creditsAreHalfDone = Promise<Void>()
  private let subscriptionHasEnded = Promise<Void>()
  private let race = Mutex<RaceOutcome?>(nil)
  private let videos = Mutex<[String: EncodedVideo]>([:])

  init(_ workplace: Workplace, _ encoder: any Encoder, _ screen: any Screen) throws {
    self.screen = screen
    self.encoder = encoder
    self.workplace = workplace
    sidecar = try SidecarClient(
      workplace,
      log: "sidecar-1.log",
      notify: { [creditsAreHalfDone, subscriptionHasEnded] method, params in
        guard method == "status" else { return subscriptionHasEnded.put(()) }
        guard let change = params["change"].map(StatusChange.init) else { return }
        screen.show(change)
        if change.id == "credits", change.progress >= 50 { creditsAreHalfDone.put(()) }
      },
      end: { [subscriptionHasEnded] in subscriptionHasEnded.put(()) }
    )
  }

  /// Tells the story, which takes some eight seconds; returns what it comes to.
  func tell() throws -> Report {
    // The answer proves that the database is there.
    try sidecar.call("subscribe") { params in
      params.member("ids", .array(Self.ids.map(JSON.string)))
      params.member("untilTerminal", .bool(true))
    }
    try inParallel([tellOfTrailer, tellOfIntro, tellOfCredits])
    subscriptionHasEnded.wait()
    return Report(
      race: race.withLock { $0 },
      histories: try Self.ids.map(history),
      videos: Self.ids.compactMap { id in videos.withLock { $0[id] } }
    )
  }

  // MARK: - The renders

  @Sendable private func tellOfTrailer() throws {
    try start("trailer", title: "The trailer", renderID: "render-trailer-1")
    pause(seconds: 0.5)
    let encoding = Encoding(name: "trailer", input: .pattern("testsrc2"), seconds: 7)
    let end = try render(encoding, renderID: "render-trailer-1")
    // Webhooks come twice now and then.
    if case .bool(true) = try sidecar.call(end)["replayed"] {
      screen.tell("told twice, done once (idempotencyKey)", of: "trailer")
    }
  }

  @Sendable private func tellOfIntro() throws {
    try start("intro", title: "The intro", renderID: "render-intro-1")
    pause(seconds: 1)
    let missing = Encoding(name: "intro", input: .file("intro.mov"), seconds: 4)
    try render(missing, renderID: "render-intro-1")
    pause(seconds: 1.2)
    let status = try sidecar.call("getStatus") { $0.member("id", .string("intro")) }
    let renderID = try raceForRetry(version: status["version"]?.whole)
    pause(seconds: 0.4)
    let found = Encoding(name: "intro", input: .pattern("testsrc"), seconds: 4)
    try render(found, renderID: renderID)
  }

  @Sendable private func tellOfCredits() throws {
    pause(seconds: 0.3)
    try start("credits", title: "The credits", renderID: "render-credits-1")
    pause(seconds: 0.4)
    try inParallel([renderCredits, cancelCredits])
  }

  @Sendable private func renderCredits() throws {
    let encoding = Encoding(name: "credits", input: .pattern("smptebars"), seconds: 9)
    do {
      try render(encoding, renderID: "render-credits-1")
    } catch let refusal as Refusal where refusal.kind == "invalidTransition" {
      screen.tell("\(encoder.name) ended: its progress is refused", of: "credits")
    }
  }

  @Sendable private func cancelCredits() throws {
    creditsAreHalfDone.wait()
    var cancel = Transition(id: "credits", event: "cancel", actor: "route:/api/cancel")
    cancel.context = ["error": .string("Cancelled by the viewer")]
    try sidecar.call(cancel)
  }

  // MARK: - What a route and a worker do

  private func start(_ id: String, title: String, renderID: String) throws {
    var start = Transition(id: id, event: "start", actor: "route:/api/render")
    start.idempotencyKey = "start-\(renderID)"
    start.context = ["renderId": .string(renderID), "bucketName": .string(Self.bucket)]
    start.metadata = ["title": .string(title)]
    try sidecar.call(start)
  }

  /// Encodes, and tells the sidecar how far it is and how it ends; returns the end it told.
  @discardableResult
  private func render(_ encoding: Encoding, renderID: String) throws -> Transition {
    func transition(_ event: String, _ key: String, _ value: JSON) -> Transition {
      var transition = Transition(id: encoding.name, event: event, actor: encoder.name)
      transition.context = ["renderId": .string(renderID), key: value]
      return transition
    }
    var end: Transition
    do {
      let video = try encoder.encode(encoding) { frames in
        let percent = (100 * Double(frames) / Double(encoding.frames)).rounded()
        try sidecar.call(transition("progress", "progress", .number(percent)))
      }
      videos.withLock { $0[encoding.name] = video }
      end = transition("complete", "videoUrl", .string(video.url))
      end.metadata = ["frames": .integer(Int64(encoding.frames))]
    } catch let failure as EncodingFailure {
      end = transition("fail", "error", .string(failure.lastLine))
      if case .pattern = encoding.input {
        try sidecar.call(end)
        throw CommandError(message: "\(encoding.name) could not be rendered: \(failure.lastLine)")
      }
    }
    end.idempotencyKey = "end-\(renderID)"
    try sidecar.call(end)
    return end
  }

  /// Two processes send the same start for the failed intro at once, as two clicks would.
  ///
  /// The second one has yet to open the database, so it is the one to lose; but that is the
  /// store's to say, and the render goes on under the winner's renderId.
  private func raceForRetry(version: Int64?) throws -> String {
    let second = try SidecarClient(workplace, log: "sidecar-2.log")
    defer { second.stop() }
    screen.tell("second process \(second.pid): the same start", of: "intro")
    let racers = [(second, "render-intro-2b"), (sidecar, "render-intro-2a")]
    let answers = racers.map { racer, renderID in
      var start = Transition(id: "intro", event: "start", actor: "route:/api/retry")
      start.idempotencyKey = "start-\(renderID)"
      start.expectedVersion = version
      start.context = ["renderId": .string(renderID), "bucketName": .string(Self.bucket)]
      return racer.send("transition", params: start.write)
    }
    var winner: (pid: pid_t, renderID: String)?
    var loser: (pid: pid_t, refusal: Refusal)?
    for ((racer, renderID), answer) in zip(racers, answers) {
      switch answer.wait() {
      case .success: winner = (racer.pid, renderID)
      case .failure(let refusal as Refusal): loser = (racer.pid, refusal)
      case .failure(let error): throw error
      }
    }
    guard let winner, let loser else {
      throw CommandError(message: "a race has one winner and one loser; this one had not: a defect")
    }
    let outcome = RaceOutcome(winner: winner.pid, loser: loser.pid, refusal: loser.refusal)
    race.withLock { $0 = outcome }
    screen.tell("process \(loser.pid) loses: \(loser.refusal.name)", of: "intro")
    return winner.renderID
  }

  private func pause(seconds: TimeInterval) {
    Thread.sleep(forTimeInterval: seconds)
  }

  // MARK: - Afterwards

  private func history(of id: String) throws -> [StatusChange] {
    // A thousand changes is more than the story has.
    let page = try sidecar.call("getHistory") { params in
      params.member("id", .string(id))
      params.member("limit", .integer(1_000))
    }
    return (page["changes"]?.elements ?? []).map(StatusChange.init)
  }
}
