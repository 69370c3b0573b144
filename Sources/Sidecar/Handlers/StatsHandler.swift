internal import RenderProtocol
internal import RenderStore

enum StatsHandler: SessionHandler {
  typealias M = StatsMethod

  static func handle(
    _ params: StatsMethod.Params,
    in session: Session
  ) throws(Failure) -> StatsMethod.Answer {
    do throws(StoreError) {
      return StatsMethod.Answer(
        uptimeMilliseconds: session.uptimeMilliseconds,
        store: try StoreFigures.reading(session.store).figures,
        subscriptions: session.feed.subscriptions.count,
        calls: session.statistics.calls
      )
    } catch {
      throw .store(error)
    }
  }
}
