internal import Glibc
public import RenderModel

/// Tells the time; tests set their own.
public protocol Clock: Sendable {
  func now() -> Timestamp
}

/// The clock on the wall.
public struct SystemClock: Clock {
  public init() {}

  public func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
