/// What two clocks say at one moment: the one on the wall, which people and programs set, and one that nobody sets.
public struct ClockReading: Sendable {
  public let wall: Timestamp
  /// Milliseconds since the machine was started, time asleep included.
  public let sinceBoot: Int64
  /// Names that start of the machine: what was read after another one cannot be compared.
  public let boot: String

  public init(wall: Timestamp, sinceBoot: Int64, boot: String) {
    self.wall = wall
    self.sinceBoot = sinceBoot
    self.boot = boot
  }

  /// How the clock on the wall is set.
  public var setting: ClockSetting {
    ClockSetting(
      boot: boot,
      milliseconds: wall.milliseconds(since: Timestamp(milliseconds: sinceBoot))
    )
  }
}

/// By how much the clock on the wall is ahead of the time since the machine was started: the same until
/// somebody sets it.
public struct ClockSetting: Sendable, Equatable {
  public let boot: String
  public let milliseconds: Int64

  /// What reading one clock after the other may come to; less is taken for the same.
  private static let tolerance: Int64 = 5

  public init(boot: String, milliseconds: Int64) {
    self.boot = boot
    self.milliseconds = milliseconds
  }

  /// By how many milliseconds the clock was set forward since it was set like this, less than 0 for backward; 0 if it was not, and if
  /// the machine was started anew, after which nobody can tell.
  public func jump(to now: ClockSetting) -> Int64 {
    guard boot == now.boot else { return 0 }
    let jump = now.milliseconds - milliseconds
    return abs(jump) < Self.tolerance ? 0 : jump
  }
}
