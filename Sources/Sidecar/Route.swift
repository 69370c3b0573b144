internal import JSONRPC
internal import RenderModel
internal import RenderProtocol
internal import RenderStore

/// Why a handler gives no answer.
enum Failure: Error {
  /// The host gets this error.
  case wire(WireError)
  /// The store failed; a group it happens in fails as a whole.
  case store(StoreError)
}

/// One message on its way to its handler.
struct Call {
  let params: Message.Params
  /// nil for a notification: no answer is owed.
  let id: RequestID?
  let place: Inbox.Place

  func read<M: Method>(_ method: M.Type) throws(Failure) -> M.Params {
    do throws(InvalidParams) {
      return try M.read(try ParamsReader(params))
    } catch {
      throw .wire(.invalidParams(error))
    }
  }

  func answer(_ value: some WireValue, _ responses: inout ResponseWriter) {
    guard let id else { return }
    responses.answer(id, at: place) { value.write(to: &$0) }
  }
}

/// Changes the store; runs in a write group.
protocol WriteHandler {
  associatedtype M: Method
  static func handle(
    _ params: M.Params,
    in transaction: inout WriteTransaction,
    _ moment: Moment
  ) throws(Failure) -> M.Answer
}

/// Reads the store; runs in a write group too, and sees what the group has done so far.
protocol ReadHandler {
  associatedtype M: Method
  static func handle(_ params: M.Params, from store: RenderStore) throws(Failure) -> M.Answer
}

/// Deals with the connection; runs between groups.
protocol SessionHandler {
  associatedtype M: Method
  static func handle(_ params: M.Params, in session: Session) throws(Failure) -> M.Answer
}

/// When a command is decided, and what it gets where it names nothing itself.
struct Moment {
  let now: Timestamp
  let defaultTimeouts: Timeouts
}

/// A method's way to its handler.
struct Route {
  typealias Write = (
    Call, inout WriteTransaction, Moment, inout ResponseWriter
  ) throws(Failure) -> Void
  typealias Read = (Call, RenderStore, inout ResponseWriter) throws(Failure) -> Void
  typealias InSession = (Call, Session, inout ResponseWriter) throws(Failure) -> Void

  enum Kind {
    case write(Write)
    case read(Read)
    case session(InSession)
  }

  let name: String
  let actsAsNotification: Bool
  let kind: Kind

  private init<M: Method>(_ method: M.Type, _ kind: Kind) {
    name = M.name
    actsAsNotification = M.actsAsNotification
    self.kind = kind
  }

  static func to<H: WriteHandler>(_ handler: H.Type) -> Route {
    Route(
      H.M.self,
      .write { call, transaction, moment, responses throws(Failure) in
        let params = try call.read(H.M.self)
        call.answer(try H.handle(params, in: &transaction, moment), &responses)
      }
    )
  }

  static func to<H: ReadHandler>(_ handler: H.Type) -> Route {
    Route(
      H.M.self,
      .read { call, store, responses throws(Failure) in
        call.answer(try H.handle(try call.read(H.M.self), from: store), &responses)
      }
    )
  }

  static func to<H: SessionHandler>(_ handler: H.Type) -> Route {
    Route(
      H.M.self,
      .session { call, session, responses throws(Failure) in
        call.answer(try H.handle(try call.read(H.M.self), in: session), &responses)
      }
    )
  }
}

/// Every method's route, in the order of the catalogue.
struct Router {
  let routes: [Route] = [
    .to(TransitionHandler.self),
    .to(RegenerateHandler.self),
    .to(GetStatusHandler.self),
    .to(GetStatusesHandler.self),
    .to(ListStatusesHandler.self),
    .to(GetHistoryHandler.self),
    .to(SubscribeHandler.self),
    .to(UnsubscribeHandler.self),
    .to(AcquireLeaseHandler.self),
    .to(ReleaseLeaseHandler.self),
    .to(InitializeHandler.self),
    .to(StatsHandler.self),
    .to(PingHandler.self),
    .to(DiscoverHandler.self),
    .to(ShutdownHandler.self),
  ]
  private let indexes: [String: Int]

  init() {
    indexes = Dictionary(uniqueKeysWithValues: routes.enumerated().map { ($1.name, $0) })
  }

  func index(of method: String) -> Int? {
    indexes[method]
  }
}
