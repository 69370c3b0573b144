internal import RenderModel
internal import RenderProtocol
internal import RenderStore

enum GetHistoryHandler: ReadHandler {
  typealias M = GetHistoryMethod

  static func handle(
    _ params: GetHistoryMethod.Params,
    from store: RenderStore
  ) throws(Failure) -> GetHistoryMethod.Answer {
    do throws(StoreError) {
      // One more than asked tells whether this page is the last.
      var changes = try store.history(
        of: params.id,
        after: params.afterSeq,
        limit: params.limit + 1
      )
      let isLast = changes.count <= params.limit
      if !isLast { changes.removeLast() }
      return GetHistoryMethod.Answer(
        changes: changes,
        nextAfterSeq: isLast ? nil : changes.last?.seq
      )
    } catch {
      throw .store(error)
    }
  }
}
