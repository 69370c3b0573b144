public import JSON
public import RenderModel

/// Takes or renews a lease: one holder of a name at a time.
public enum AcquireLeaseMethod: Method {
  public static let name = "acquireLease"

  public struct Params: Sendable {
    public let name: String
    public let holder: String
    public let milliseconds: Int64
  }

  public struct Answer: WireValue {
    public let lease: Lease
    public let isAcquired: Bool

    public init(lease: Lease, isAcquired: Bool) {
      self.lease = lease
      self.isAcquired = isAcquired
    }

    public func write(to writer: inout JSONWriter) {
      writer.beginObject()
      writer.key("acquired")
      writer.bool(isAcquired)
      writer.key("holder")
      writer.string(lease.holder)
      writer.key("token")
      writer.integer(lease.token)
      writer.key("expiresAt")
      writer.time(lease.expiresAt)
      writer.endObject()
    }
  }

  public static func read(_ params: ParamsReader) throws(InvalidParams) -> Params {
    try params.allow("name", "holder", "ttlMs")
    return Params(
      name: try params.identifier("name"),
      holder: try params.identifier("holder"),
      milliseconds: try params.integer("ttlMs", in: 1...ParamsReader.maximumMilliseconds)
    )
  }
}
