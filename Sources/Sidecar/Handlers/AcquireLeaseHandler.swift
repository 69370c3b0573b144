internal import RenderProtocol
internal import RenderStore

enum AcquireLeaseHandler: WriteHandler {
  typealias M = AcquireLeaseMethod

  static func handle(
    _ params: AcquireLeaseMethod.Params,
    in transaction: inout WriteTransaction,
    _ moment: Moment
  ) throws(Failure) -> AcquireLeaseMethod.Answer {
    do throws(StoreError) {
      let (lease, isAcquired) = try transaction.acquireLease(
        params.name,
        holder: params.holder,
        milliseconds: params.milliseconds,
        at: moment.now
      )
      return AcquireLeaseMethod.Answer(lease: lease, isAcquired: isAcquired)
    } catch {
      throw .store(error)
    }
  }
}
