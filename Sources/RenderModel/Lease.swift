internal import JSON

/// A name that one holder at a time may have, for a while.
public struct Lease: Sendable {
  public let name: String
  public let holder: String
  /// Grows by one with every new taking, so that a holder who lost it can be told apart.
  public let token: Int64
  /// Free from here on.
  public let expiresAt: Timestamp

  public init(name: String, holder: String, token: Int64, expiresAt: Timestamp) {
    self.name = name
    self.holder = holder
    self.token = token
    self.expiresAt = expiresAt
  }

  public func isLive(at now: Timestamp) -> Bool {
    now < expiresAt
  }

  public func isHeld(by holder: String, at now: Timestamp) -> Bool {
    isLive(at: now) && self.holder.hasSameBytes(as: holder)
  }

  /// The lease after its release: free whatever the clock says, its token kept for the next taking.
  public func released() -> Lease {
    Lease(name: name, holder: holder, token: token, expiresAt: Timestamp(milliseconds: .min))
  }

  /// The lease that a holder gets: a free one is taken with the next token, the holder's own live
  /// one is renewed; nil where another holder has it.
  ///
  /// `current` is the lease as it was last, nil if the name was never taken.
  public static func granting(
    _ name: String,
    to holder: String,
    milliseconds: Int64,
    current: Lease?,
    at now: Timestamp
  ) -> Lease? {
    let expiresAt = now.advanced(by: milliseconds)
    guard let current, current.isLive(at: now) else {
      return Lease(
        name: name,
        holder: holder,
        token: (current?.token ?? 0) + 1,
        expiresAt: expiresAt
      )
    }
    guard current.holder.hasSameBytes(as: holder) else { return nil }
    return Lease(name: name, holder: holder, token: current.token, expiresAt: expiresAt)
  }
}
