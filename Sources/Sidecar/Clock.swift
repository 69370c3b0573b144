internal import Foundation
internal import Glibc
public import RenderModel

/// Tells the time; tests set their own.
public protocol Clock: Sendable {
  func now() -> Timestamp
  /// The time beside that of a clock which nobody sets.
  func reading() -> ClockReading
}

/// The clock on the wall.
public struct SystemClock: Clock {
  /// Which start of the machine this is (random(4)).
  ///
  /// Where the system does not tell, each process has one of its own,
  /// and notices what it sees itself.
  private static let boot =
    (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))
    .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) } ?? UUID().uuidString

  public init() {}

  public func now() -> Timestamp {
    Timestamp(milliseconds: Self.milliseconds(CLOCK_REALTIME))
  }

  /// Reads the one between two looks at the other, and again where something came between.
  public func reading() -> ClockReading {
    while true {
      let before = Self.milliseconds(CLOCK_BOOTTIME)
      let wall = now()
      let after = Self.milliseconds(CLOCK_BOOTTIME)
      guard after - before > 1 else {
        return ClockReading(wall: wall, sinceBoot: after, boot: Self.boot)
      }
    }
  }

  private static func milliseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}
