internal import JSONRPC
internal import Logging
internal import RenderModel
internal import RenderProtocol
internal import RenderStore

extension Sidecar {
  /// Handles what waits: a run of requests that change nothing, or one group of those that do.
  func handleRequests() {
    // A lone request has nobody behind it for whom another thread should be woken.
    if queue.count > 1 { connection.readMeanwhile() }
    if let item = queue.first, isWrite(item) {
      runGroup()
    } else {
      runReads()
    }
    store.checkpointIfDue()
  }

  /// Runs what changes nothing, as the store was at one moment: all of it was asked for before.
  private func runReads() {
    do throws(StoreError) {
      try store.snapshot { () throws(StoreError) in
        while handleRead() {}
      }
    } catch {
      // By itself the next one says what is wrong, and the others are tried again.
      _ = handleRead()
    }
    flush()
  }

  /// Handles the first request, if it changes nothing and there is room for its answer.
  private func handleRead() -> Bool {
    guard let item = queue.first, !isWrite(item), responses.count < Self.answersLimit else {
      return false
    }
    queue.removeFirst()
    requestsAlone = max(0, requestsAlone - 1)
    var timings: [Timing] = []
    handleAlone(item, &timings)
    // At once: the next one may ask for the statistics.
    note(timings)
    return true
  }

  private func isWrite(_ item: Inbox.Item) -> Bool {
    guard !session.isShuttingDown, case .write = item.call?.handling else { return false }
    return true
  }

  /// Whether a request may run in a group behind a write: the connection is not touched within one.
  private func mayJoin(_ item: Inbox.Item) -> Bool {
    guard case .session = item.call?.handling else { return true }
    return false
  }

  /// Runs what waits in one commit, and answers it then.
  ///
  /// The first request is a write; who comes later waits for the next group. If the group fails, its
  /// requests run again one by one, so that only the one at fault pays.
  private func runGroup() {
    let limit = requestsAlone > 0 ? 1 : groupSize(waiting: queue.count)
    let before = responses.mark
    var timings: [Timing] = []
    var taken = 0
    do throws(StoreError) {
      let changes = try store.write(
        { transaction throws(StoreError) in
          let moment = try Moment(
            clock,
            defaultTimeouts: session.settings.defaultTimeouts,
            in: transaction
          )
          while taken < limit, responses.count < Self.answersLimit,
            let item = queue.item(at: taken), mayJoin(item)
          {
            taken += 1
            try handle(item, &timings) { write, asker throws(Failure) in
              try write(asker, &transaction, moment, &responses)
            }
          }
          return transaction.changes
        },
        answering: flush
      )
      queue.removeFirst(taken)
      requestsAlone = max(0, requestsAlone - taken)
      note(timings)
      refreshDeadline()
      tell(changes)
    } catch {
      responses.rewind(to: before)
      if taken > 1 {
        requestsAlone = taken
      } else {
        requestsAlone = max(0, requestsAlone - 1)
        refuse(error)
      }
    }
  }

  /// How many requests the next group takes.
  ///
  /// Of some hundred that wait, it takes half: a host that asks anew when it is answered does so while
  /// the others are handled. `Tests/Benchmarks/run pipelined` measures what that brings.
  private func groupSize(waiting: Int) -> Int {
    waiting < Self.groupLimit / 2 ? max(waiting / 2, Self.groupLimit / 8) : Self.groupLimit
  }

  /// Answers the first request with the store's error.
  ///
  /// If the locks were not had, every write that waits gets it: they have all waited for the same
  /// locks. What stands between them is handled as ever.
  private func refuse(_ error: StoreError) {
    let refusal = wireError(error)
    var waiting = error.isBusy ? queue.count : 1
    var timings: [Timing] = []
    while waiting > 0, let item = queue.first, responses.count < Self.answersLimit {
      waiting -= 1
      queue.removeFirst()
      handleAlone(item, &timings, refusingWritesWith: refusal)
    }
    note(timings)
    flush()
  }

  /// Handles a message outside of a group, where nothing is written.
  private func handleAlone(
    _ item: Inbox.Item,
    _ timings: inout [Timing],
    refusingWritesWith refusal: WireError = .shuttingDown
  ) {
    do throws(StoreError) {
      try handle(item, &timings) { _, _ throws(Failure) in throw .wire(refusal) }
    } catch {
      let failure = wireError(error)
      if case .success(.request(let request)) = item.content {
        responses.answer(request.id, at: item.place, error: failure.rpcError)
      }
      responses.finish(item.place)
    }
  }

  /// Handles one message and writes what is owed.
  ///
  /// A handler that changes the store is called by way of `write`. If the store fails, nothing has
  /// been written for the message.
  private func handle(
    _ item: Inbox.Item,
    _ timings: inout [Timing],
    write: (Call.Write, Asker) throws(Failure) -> Void
  ) throws(StoreError) {
    switch item.content {
    case .failure(let invalid):
      refuse(invalid.id, at: item.place, "a line", WireError(invalid))
    case .success(.response):
      logger.warning("a message shaped like a response was ignored: the sidecar asks nothing")
    case .success(.notification):
      let asker = Asker(id: nil, place: item.place)
      if !session.isShuttingDown, let call = item.call,
        router.routes[call.route].actsAsNotification
      {
        try run(call, asker, readAt: item.readAt, &timings, write: write)
      }
    case .success(.request(let request)):
      let asker = Asker(id: request.id, place: item.place)
      if session.isShuttingDown {
        refuse(request.id, at: item.place, request.method, .shuttingDown)
      } else if let call = item.call {
        try run(call, asker, readAt: item.readAt, &timings, write: write)
      } else {
        let error = WireError.methodNotFound(method: request.method)
        refuse(request.id, at: item.place, request.method, error)
      }
    }
    responses.finish(item.place)
  }

  private func run(
    _ call: Call,
    _ asker: Asker,
    readAt: UInt64,
    _ timings: inout [Timing],
    write: (Call.Write, Asker) throws(Failure) -> Void
  ) throws(StoreError) {
    var timing = Timing(method: call.route, readAt: readAt, failed: false)
    do throws(Failure) {
      switch call.handling {
      case .write(let handler): try write(handler, asker)
      case .read(let handler): try handler(asker, store, &responses)
      case .session(let handler): try handler(asker, session, &responses)
      case .refused(let invalid): throw .wire(.invalidParams(invalid))
      }
    } catch {
      timing.failed = true
      switch error {
      case .store(let error):
        timings.append(timing)
        throw error
      case .wire(let error):
        let name = router.routes[call.route].name
        if let id = asker.id {
          refuse(id, at: asker.place, name, error)
        } else {
          logger.notice("the notification \(name) was refused: \(error.message)")
        }
      }
    }
    timings.append(timing)
  }

  /// Answers a request with an error.
  ///
  /// The log gets what is wrong, and nothing of what was sent: that may hold secrets.
  private func refuse(
    _ id: RequestID,
    at place: Inbox.Place,
    _ what: String,
    _ error: WireError
  ) {
    responses.answer(id, at: place, error: error.rpcError)
    logger.debug(
      "\(what.prefix(100)) was refused",
      metadata: ["code": "\(error.code)", "kind": "\(error.kind)"]
    )
  }

  private func note(_ timings: [Timing]) {
    let now = monotonicNanoseconds()
    for timing in timings {
      session.statistics.note(
        method: timing.method,
        nanoseconds: now &- timing.readAt,
        failed: timing.failed
      )
    }
  }

  private func wireError(_ error: StoreError) -> WireError {
    switch error {
    case .busy:
      return .storeBusy
    case .unavailable(let reason, let isRetryable):
      logger.error("the store cannot be used: \(reason)")
      return .storeUnavailable(reason: reason, isRetryable: isRetryable)
    case .defect(let detail):
      logger.critical("a defect: \(detail)")
      return .internalError
    }
  }
}

/// One call of a method, for the statistics.
private struct Timing {
  /// The index of its route.
  let method: Int
  /// In nanoseconds of the monotonic clock.
  let readAt: UInt64
  var failed: Bool
}

extension Inbox.Item {
  /// The call that was read; nil for a method that there is not, and for what is no request.
  fileprivate var call: Call? {
    let params: Message.Params
    switch content {
    case .success(.request(let request)): params = request.params
    case .success(.notification(let notification)): params = notification.params
    case .success(.response), .failure: return nil
    }
    guard case .read(let read) = params else { return nil }
    return read as? Call
  }
}

extension StoreError {
  var isBusy: Bool {
    if case .busy = self { true } else { false }
  }
}
