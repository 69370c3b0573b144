public import RenderModel
public import RenderProtocol
public import RenderStore

extension StoreFigures {
  static let kind = "sqlite"

  /// What there is to count in a store, and the active render whose last event is the longest ago, at one
  /// moment.
  public static func reading(
    _ store: RenderStore
  ) throws(StoreError) -> (figures: StoreFigures, oldestActive: Render?) {
    try store.snapshot { () throws(StoreError) in
      let size = try store.size()
      let active = State.allCases.filter(\.isActive)
      let ever = Timestamp(milliseconds: .max)
      let oldestActive = try store.listQuiet(active, since: ever, limit: 1).first
      let figures = StoreFigures(
        kind: kind,
        bytes: size.bytes,
        walBytes: size.walBytes,
        seq: try store.head(),
        sqliteVersion: RenderStore.sqliteVersion,
        renders: try store.counts(),
        oldestActiveAt: oldestActive?.updatedAt,
        durations: try store.durations()
      )
      return (figures, oldestActive)
    }
  }
}
