public import JSONRPC
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

/// Whom a message is answered to, and where.
struct Asker {
  /// nil for a notification: no answer is owed.
  let id: RequestID?
  let place: Inbox.Place

  func answer(_ value: some WireValue, _ responses: inout ResponseWriter) {
    guard let id else { return }
    responses.answer(id, at: place) { value.write(to: &$0) }
  }
}

/// Changes the store; runs in a write group.
protocol WriteHandler: SendableMetatype {
  associatedtype M: Method
  static func handle(
    _ params: M.Params,
    in transaction: inout WriteTransaction,
    _ moment: Moment
  ) throws(Failure) -> M.Answer
}

/// Reads the store; runs in a write group too, and sees what the group has done so far.
protocol ReadHandler: SendableMetatype {
  associatedtype M: Method
  static func handle(_ params: M.Params, from store: RenderStore) throws(Failure) -> M.Answer
}

/// Deals with the connection; runs between groups.
protocol SessionHandler: SendableMetatype {
  associatedtype M: Method
  static func handle(_ params: M.Params, in session: Session) throws(Failure) -> M.Answer
}

/// When a command is decided, and what it gets where it names nothing itself.
struct Moment {
  let now: Timestamp
  let defaultTimeouts: Timeouts

  /// The moment of a group that has begun.
  ///
  /// It is read then and not before: while the locks are waited for the clock may be set.
  init(
    _ clock: any Clock,
    defaultTimeouts: Timeouts,
    in transaction: WriteTransaction
  ) throws(StoreError) {
    let reading = clock.reading()
    try transaction.follow(reading)
    now = reading.wall
    self.defaultTimeouts = defaultTimeouts
  }
}

/// A call whose params have been read: what is left is its handling.
final class Call: ReadParams {
  typealias Write =
    @Sendable (
      Asker, inout WriteTransaction, Moment, inout ResponseWriter
    ) throws(Failure) -> Void
  typealias Read = @Sendable (Asker, RenderStore, inout ResponseWriter) throws(Failure) -> Void
  typealias InSession = @Sendable (Asker, Session, inout ResponseWriter) throws(Failure) -> Void

  enum Handling: Sendable {
    case write(Write)
    case read(Read)
    case session(InSession)
    /// Its params cannot be taken.
    case refused(InvalidParams)
  }

  /// The index of the method's route.
  let route: Int
  let handling: Handling

  init(route: Int, _ handling: Handling) {
    self.route = route
    self.handling = handling
  }
}

/// A method's way to its handler.
struct Route: Sendable {
  let name: String
  let actsAsNotification: Bool
  /// Reads the params, once, and says how the call is handled.
  let handling: @Sendable (Message.Params) -> Call.Handling

  private init<M: Method>(
    _ method: M.Type,
    _ handling: @escaping @Sendable (M.Params) -> Call.Handling
  ) {
    name = M.name
    actsAsNotification = M.actsAsNotification
    self.handling = { params in
      do throws(InvalidParams) {
        return handling(try M.read(try ParamsReader(params)))
      } catch {
        return .refused(error)
      }
    }
  }

  static func to<H: WriteHandler>(_ handler: H.Type) -> Route {
    Route(H.M.self) { params in
      .write { asker, transaction, moment, responses throws(Failure) in
        asker.answer(try H.handle(params, in: &transaction, moment), &responses)
      }
    }
  }

  static func to<H: ReadHandler>(_ handler: H.Type) -> Route {
    Route(H.M.self) { params in
      .read { asker, store, responses throws(Failure) in
        asker.answer(try H.handle(params, from: store), &responses)
      }
    }
  }

  static func to<H: SessionHandler>(_ handler: H.Type) -> Route {
    Route(H.M.self) { params in
      .session { asker, session, responses throws(Failure) in
        asker.answer(try H.handle(params, in: session), &responses)
      }
    }
  }
}

/// Every method's route, in the order of the catalogue.
struct Router: Sendable {
  static let shared = Router()

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

  private init() {
    indexes = Dictionary(uniqueKeysWithValues: routes.enumerated().map { ($1.name, $0) })
  }

  /// Reads the params of a method; nil if there is no such method.
  func call(_ method: String, _ params: Message.Params) -> Call? {
    indexes[method].map { Call(route: $0, routes[$0].handling(params)) }
  }
}

extension Sidecar {
  /// Reads the params of every method; to be given to the connection.
  public static let readingParams: ParamsReading = { method, params in
    Router.shared.call(method, params)
  }
}
