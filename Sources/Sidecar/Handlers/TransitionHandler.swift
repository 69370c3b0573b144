internal import RenderModel
internal import RenderProtocol
internal import RenderStore

enum TransitionHandler: WriteHandler {
  typealias M = TransitionMethod

  static func handle(
    _ params: TransitionMethod.Params,
    in transaction: inout WriteTransaction,
    _ moment: Moment
  ) throws(Failure) -> TransitionAnswer {
    let command = params.command.with(params.timeouts, else: moment.defaultTimeouts)
    let outcome: WriteTransaction.Outcome
    do throws(StoreError) {
      outcome = try transaction.apply(command, at: moment.now)
    } catch {
      throw .store(error)
    }
    switch outcome {
    case .changed(let change, let render):
      return TransitionAnswer(
        previousState: change.previousState,
        version: change.version,
        seq: change.seq,
        status: Status(render),
        isReplayed: false
      )
    case .replayed(let use, let render):
      return TransitionAnswer(
        previousState: use.previousState,
        version: use.version,
        seq: use.seq,
        status: Status(render),
        isReplayed: true
      )
    case .refused(let refusal, let render):
      throw .wire(WireError(refusal, now: render))
    }
  }
}

extension Command {
  /// The command with the clocks of its attempt: as asked, 0 for off, else the defaults.
  fileprivate func with(_ asked: RequestedTimeouts, else defaults: Timeouts) -> Command {
    func effective(_ asked: Int64?, _ preset: Int64?) -> Int64? {
      guard let asked else { return preset }
      return asked == 0 ? nil : asked
    }
    return Command(
      id: id,
      action: action,
      context: context,
      expected: expected,
      idempotencyKey: idempotencyKey,
      actor: actor,
      timeouts: Timeouts(
        queued: effective(asked.queued, defaults.queued),
        stall: effective(asked.stall, defaults.stall),
        total: effective(asked.total, defaults.total)
      )
    )
  }
}
