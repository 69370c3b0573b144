internal import RenderModel
internal import RenderProtocol
internal import RenderStore

enum ListStatusesHandler: ReadHandler {
  typealias M = ListStatusesMethod

  static func handle(
    _ params: ListStatusesMethod.Params,
    from store: RenderStore
  ) throws(Failure) -> ListStatusesMethod.Answer {
    let position = params.cursor.map {
      RenderStore.ListPosition(updatedAt: $0.updatedAt, seq: $0.seq)
    }
    do throws(StoreError) {
      // One more than asked tells whether this page is the last.
      var renders = try store.list(params.states, behind: position, limit: params.limit + 1)
      let isLast = renders.count <= params.limit
      if !isLast { renders.removeLast() }
      let next =
        isLast ? nil : renders.last.map { ListCursor(updatedAt: $0.updatedAt, seq: $0.seq) }
      return ListStatusesMethod.Answer(renders: renders, next: next)
    } catch {
      throw .store(error)
    }
  }
}
