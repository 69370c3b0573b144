internal import RenderProtocol
internal import RenderStore

enum GetStatusesHandler: ReadHandler {
  typealias M = GetStatusesMethod

  static func handle(
    _ params: GetStatusesMethod.Params,
    from store: RenderStore
  ) throws(Failure) -> GetStatusesMethod.Answer {
    do throws(StoreError) {
      return GetStatusesMethod.Answer(renders: try store.renders(params.ids))
    } catch {
      throw .store(error)
    }
  }
}
