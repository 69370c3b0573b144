public import RenderModel

enum ClockSQL {
  static let select = "SELECT boot, setting FROM clock"

  static let save = """
    INSERT INTO clock (only, boot, setting) VALUES (1, ?1, ?2)
    ON CONFLICT (only) DO UPDATE SET boot = excluded.boot, setting = excluded.setting
    """

  /// Who changes a render by hand leaves its deadline to be worked out.
  static let selectOpenDeadlines = """
    SELECT \(RenderSQL.columns) FROM renders WHERE deadline_at = 0
    """

  static let moveDeadlines = """
    UPDATE renders SET started_at = started_at + ?1, deadline_at = deadline_at + ?1
    WHERE state = 'queued' OR state = 'rendering'
    """

  static let moveLeases = "UPDATE leases SET expires_at = expires_at + ?1 WHERE expires_at > ?2"
}

extension RenderStore {
  /// By how many milliseconds the clock on the wall was set forward, less than 0 for backward, since the last
  /// group of any process; 0 if it was not.
  public func clockJump(to reading: ClockReading) throws(StoreError) -> Int64 {
    try clockSetting()?.jump(to: reading.setting) ?? 0
  }

  /// Moves what is to happen later along with the clock on the wall, if that was set since the last group of any
  /// process.
  func followClock(_ reading: ClockReading) throws(StoreError) {
    let setting = reading.setting
    let last = try clockSetting()
    let jump = last?.jump(to: setting) ?? 0
    guard last?.boot != setting.boot || jump != 0 else { return }
    if jump != 0 {
      for render in try statements.selectOpenDeadlines.all(Render.init(row:)) {
        try saveDeadline(of: render)
      }
      statements.moveDeadlines.bind(1, jump)
      try statements.moveDeadlines.run()
      // A released lease has expired for ever.
      statements.moveLeases.bind(1, jump)
      statements.moveLeases.bind(2, reading.wall.advanced(by: -jump).milliseconds)
      try statements.moveLeases.run()
      cache.forget()
    }
    statements.saveClock.bind(1, setting.boot)
    statements.saveClock.bind(2, setting.milliseconds)
    try statements.saveClock.run()
  }

  private func clockSetting() throws(StoreError) -> ClockSetting? {
    try statements.selectClock.first { ClockSetting(boot: $0.text(0), milliseconds: $0.integer(1)) }
  }
}
