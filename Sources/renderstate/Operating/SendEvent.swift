internal import ArgumentParser
internal import JSON
internal import JSONRPC
internal import RenderModel
internal import RenderProtocol
internal import RenderStore
internal import Sidecar

struct SendEvent: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Send an event to a render, or regenerate it.",
    discussion: """
      What a host sends by the methods transition and regenerate, with the same checks; its actor \
      in the log is cli: and your user name. The event is recorded, on disk when it is told to be \
      done, and nothing else happens: who sends start has to call the renderer. With \
      --idempotency-key the same may be sent again, and takes effect once. An attempt that is \
      started so has the timeouts given here, and no others.

      With --json: what the method answers, or its error with the current status. Ends with code 2 \
      if it is refused.
      """
  )

  @Argument(help: "The id of the render.")
  var id: String

  @Argument(help: "What happens to it.")
  var event: Command.Action

  @Option(help: ArgumentHelp("With progress: how far it is, 0 to 100.", valueName: "percent"))
  var progress: Double?

  @Option(help: ArgumentHelp("The renderer's name of the attempt.", valueName: "text"))
  var renderId: String?

  @Option(help: ArgumentHelp("The bucket the renderer writes to.", valueName: "text"))
  var bucketName: String?

  @Option(help: ArgumentHelp("With complete: where the video is.", valueName: "url"))
  var videoUrl: String?

  @Option(help: ArgumentHelp("With fail and cancel: why.", valueName: "text"))
  var error: String?

  @Option(
    help: ArgumentHelp(
      "A JSON object that is merged into what is kept with the render.",
      valueName: "json"
    )
  )
  var metadata: String?

  @Option(help: ArgumentHelp("Refuse unless this is its version.", valueName: "number"))
  var expectedVersion: Int64?

  @Option(help: ArgumentHelp("Refuse unless this is its state.", valueName: "state"))
  var expectedState: State?

  @Option(help: ArgumentHelp("Refuse unless this is its attempt.", valueName: "number"))
  var expectedAttempt: Int64?

  @Option(help: ArgumentHelp("Marks one intention: it takes effect once.", valueName: "text"))
  var idempotencyKey: String?

  @Option(
    help: ArgumentHelp("With start and regenerate: as for serve; 0 is off.", valueName: "duration")
  )
  var queuedTimeout: DurationArgument?

  @Option(help: ArgumentHelp("The same.", valueName: "duration"))
  var stallTimeout: DurationArgument?

  @Option(help: ArgumentHelp("The same.", valueName: "duration"))
  var totalTimeout: DurationArgument?

  @OptionGroup var database: ExistingDatabase
  @OptionGroup var output: OutputOptions

  func validate() throws {
    _ = try makeTransition()
  }

  func run() throws {
    let output = output.makeOutput()
    let transition = try makeTransition()
    let result = try database.use(for: .changing) { store in
      try transition.carryOut(on: store, by: SystemClock())
    }
    switch result {
    case .success(let answer):
      try tell(answer, output)
    case .failure(let refusal):
      try tell(refusal, output)
      throw ExitCode.no
    }
  }

  // MARK: - The request

  /// - Throws: a usage error that names the argument that cannot be taken.
  private func makeTransition() throws -> LoneTransition {
    guard event != .regenerate || expectedAttempt == nil else {
      throw ValidationError("--expected-attempt does not go with regenerate.")
    }
    do throws(InvalidParams) {
      switch event {
      case .event(let event):
        return try LoneTransition(transition: try params(event: .string(event.rawValue)))
      case .regenerate:
        return try LoneTransition(regenerate: try params(event: nil))
      }
    } catch {
      throw ValidationError("\(Self.argument(of: error.path)): \(error.reason).")
    }
  }

  private func params(event: JSON?) throws(InvalidParams) -> JSONObject {
    let context = JSONObject([
      "renderId": renderId.map(JSON.string), "bucketName": bucketName.map(JSON.string),
      "progress": progress.map(JSON.number), "videoUrl": videoUrl.map(JSON.string),
      "error": error.map(JSON.string), "metadata": try readMetadata(),
    ])
    let timeouts = JSONObject([
      "queuedMs": queuedTimeout.map { .integer($0.milliseconds) },
      "stallMs": stallTimeout.map { .integer($0.milliseconds) },
      "totalMs": totalTimeout.map { .integer($0.milliseconds) },
    ])
    return JSONObject([
      "id": .string(id), "event": event,
      "context": context.members.isEmpty ? nil : .object(context),
      "expectedVersion": expectedVersion.map(JSON.integer),
      "expectedState": expectedState.map { .string($0.rawValue) },
      "expectedAttempt": expectedAttempt.map(JSON.integer),
      "idempotencyKey": idempotencyKey.map(JSON.string), "actor": .string(CommandActor.name),
      "timeouts": timeouts.members.isEmpty ? nil : .object(timeouts),
    ])
  }

  private func readMetadata() throws(InvalidParams) -> JSON? {
    guard let metadata else { return nil }
    guard let json = try? JSON(reading: metadata) else {
      throw InvalidParams(path: "params.context.metadata", reason: "it must be JSON")
    }
    return json
  }

  /// The argument that stands for a param.
  private static func argument(of path: String) -> String {
    switch path {
    case "params.id": return "<id>"
    case "params.timeouts": return "--queued-timeout, --stall-timeout, --total-timeout"
    default:
      let name = path.split(separator: ".").last ?? ""
      return "--" + name.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
    }
  }

  // MARK: - The answer

  private func tell(_ answer: TransitionAnswer, _ output: CommandOutput) throws {
    guard !output.isJSON else {
      return try output.print(json: [answer]) { $0.write(to: &$1) }
    }
    let paint = output.presentation.paint
    let render = answer.status.render
    let state = paint(render.stateText, Paint.Style(state: render.state.rawValue))
    let place = "version \(answer.version), seq \(answer.seq)"
    let text =
      answer.isReplayed
      ? "was done before, as \(place); now it is \(state), version \(render.version)"
      : "\(answer.previousState.rawValue) → \(state), \(place)"
    try output.print(["\(paint(id.printable, .bold)): \(text)"])
  }

  private func tell(_ refusal: WireError, _ output: CommandOutput) throws {
    guard !output.isJSON else {
      return try output.print(json: [refusal.rpcError]) { $0.write(to: &$1) }
    }
    guard case .invalidParams(let invalid) = refusal else {
      StandardErrorLog.write("renderstate: \(refusal.message.printable)")
      if let render = refusal.render {
        output.explain { RenderDetails(render: render, lastChange: nil).lines($0) }
      }
      return
    }
    StandardErrorLog.write("renderstate: \(Self.argument(of: invalid.path)): \(invalid.reason)")
  }
}

extension WireError {
  /// The render as it is, where that is why it was refused.
  fileprivate var render: Render? {
    switch self {
    case .invalidTransition(_, let render), .conflict(_, let render), .staleRender(_, let render):
      render
    default: nil
    }
  }
}
