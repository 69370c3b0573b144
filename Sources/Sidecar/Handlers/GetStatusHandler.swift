internal import RenderProtocol
internal import RenderStore

enum GetStatusHandler: ReadHandler {
  typealias M = GetStatusMethod

  static func handle(
    _ params: GetStatusMethod.Params,
    from store: RenderStore
  ) throws(Failure) -> Status {
    do throws(StoreError) {
      return Status(try store.render(params.id))
    } catch {
      throw .store(error)
    }
  }
}
