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
          storeKind: session.storeKind,
          bytes: size.bytes,
          walBytes: size.walBytes,
          seq: try store.head(),
          sqliteVersion: RenderStore.sqliteVersion,
          queued: try store.count(in: .queued),
          rendering: try store.count(in: .rendering),
          completed: try store.count(in: .completed),
          failed: try store.count(in: .failed),
          subscriptions: session.feed.subscriptions.count,
          calls: session.statistics.calls
        )
      }
    } catch {
      throw .store(error)
    }
  }
}
