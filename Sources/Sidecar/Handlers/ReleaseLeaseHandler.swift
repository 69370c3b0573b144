internal import RenderProtocol
internal import RenderStore

enum ReleaseLeaseHandler: WriteHandler {
  typealias M = ReleaseLeaseMethod

  static func handle(
    _ params: ReleaseLeaseMethod.Params,
    in transaction: inout WriteTransaction,
    _ moment: Moment
  ) throws(Failure) -> ReleaseLeaseMethod.Answer {
    do throws(StoreError) {
      return ReleaseLeaseMethod.Answer(
        isReleased: try transaction.releaseLease(
          params.name,
          holder: params.holder,
          at: moment.now
        )
      )
    } catch {
      throw .store(error)
    }
  }
}
