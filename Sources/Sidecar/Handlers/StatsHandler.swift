internal import RenderModel
internal import RenderProtocol
internal import RenderStore

enum StatsHandler: SessionHandler {
  typealias M = StatsMethod

  static func handle(
    _ params: StatsMethod.Params,
    in session: Session
  ) throws(Failure) -> StatsMethod.Answer {
    let store = session.store
    do throws(StoreError) {
      return try store.snapshot { () throws(StoreError) in
        let size = try store.size()
        return StatsMethod.Answer(
          uptimeMilliseconds: session.uptimeMilliseconds,
          store: StoreFigures(
            kind: session.storeKind,
            bytes: size.bytes,
            walBytes: size.walBytes,
            seq: try store.head(),
            sqliteVersion: RenderStore.sqliteVersion,
            renders: try store.counts()
          ),
          subscriptions: session.feed.subscriptions.count,
          calls: session.statistics.calls
        )
      }
    } catch {
      throw .store(error)
    }
  }
}
