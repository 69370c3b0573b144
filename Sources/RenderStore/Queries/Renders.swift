internal import GRDBSQLite
public import RenderModel

enum RenderSQL {
  static let columns = """
    id, state, progress, render_id, bucket_name, video_url, error, metadata, run, attempt, version,
    event, seq, created_at, updated_at, started_at, queued_ms, stall_ms, total_ms, deadline_at
    """

  /// The column `row` behind the others.
  static let rowColumn: Int32 = 20

  static let select = "SELECT \(columns), row FROM renders WHERE id = ?1"

  static let insert = """
    INSERT INTO renders (\(columns))
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
      ?20)
    """

  static let update = """
    UPDATE renders SET state = ?2, progress = ?3, render_id = ?4, bucket_name = ?5, video_url = ?6,
      error = ?7, metadata = ?8, run = ?9, attempt = ?10, version = ?11, event = ?12, seq = ?13,
      updated_at = ?15, started_at = ?16, queued_ms = ?17, stall_ms = ?18, total_ms = ?19,
      deadline_at = ?20
    WHERE row = ?1 AND version = ?11 - 1
    """

  static let updateRow = "UPDATE renders SET row = ?2 WHERE row = ?1"

  static let selectLastRow = "SELECT max(row) FROM renders"

  static let selectOverdue = """
    SELECT \(columns) FROM renders WHERE deadline_at <= ?1 ORDER BY deadline_at LIMIT ?2
    """

  static let selectFirstDeadline = """
    SELECT min(deadline_at) FROM renders WHERE deadline_at IS NOT NULL
    """

  static let updateDeadline = "UPDATE renders SET deadline_at = ?2 WHERE id = ?1"

  /// One state's part of a page, from its index alone; the parts of several states are merged by the
  /// reader, so that one index serves every filter.
  static let listByState = """
    SELECT updated_at, seq, row FROM renders
    WHERE state = ?1 AND (updated_at, seq) < (?2, ?3)
    ORDER BY updated_at DESC, seq DESC LIMIT ?4
    """

  static let selectRow = "SELECT \(columns) FROM renders WHERE row = ?1"

  /// The same of those without an event since a moment, the longest first.
  static let listQuiet = """
    SELECT updated_at, seq, row FROM renders
    WHERE state = ?1 AND updated_at <= ?2 ORDER BY updated_at, seq LIMIT ?3
    """

  static let countByState = "SELECT count(*) FROM renders WHERE state = ?1"

  /// SQLite adds up what the pages of an index hold, without a look at their entries; this is the
  /// smallest index of every render.
  static let countAll = "SELECT count(*) FROM renders INDEXED BY renders_by_state"
}

extension RenderStore {
  /// The render as it stands; idle if it was never started.
  public func render(_ id: String) throws(StoreError) -> Render {
    try stored(id).render
  }

  /// The render as it stands, and the row that holds it.
  func stored(_ id: String) throws(StoreError) -> StoredRender {
    try snapshot { () throws(StoreError) in
      if let stored = cache[id] { return stored }
      let statement = statements.selectRender
      statement.bind(1, id)
      let found = try statement.first { statement throws(StoreError) in
        let row = statement.integer(RenderSQL.rowColumn)
        return StoredRender(render: try Render(row: statement), row: row)
      }
      let stored = found ?? StoredRender(render: .idle(id), row: nil)
      cache.keep(stored)
      return stored
    }
  }

  /// The renders of these ids at one moment, in the order asked.
  public func renders(_ ids: [String]) throws(StoreError) -> [Render] {
    try snapshot { () throws(StoreError) in
      var renders: [Render] = []
      renders.reserveCapacity(ids.count)
      for id in ids { renders.append(try render(id)) }
      return renders
    }
  }

  /// A place in the list of renders: behind the one that was last changed then.
  public struct ListPosition: Sendable, Comparable {
    public let updatedAt: Timestamp
    public let seq: Int64

    public init(updatedAt: Timestamp, seq: Int64) {
      self.updatedAt = updatedAt
      self.seq = seq
    }

    public static func < (a: Self, b: Self) -> Bool {
      (a.updatedAt, a.seq) < (b.updatedAt, b.seq)
    }

    static let beginning = ListPosition(
      updatedAt: Timestamp(milliseconds: .max),
      seq: .max
    )
  }

  /// The renders in these states behind a position, the last changed first.
  public func list(
    _ states: [State],
    behind position: ListPosition?,
    limit: Int
  ) throws(StoreError) -> [Render] {
    let position = position ?? .beginning
    return try snapshot { () throws(StoreError) in
      var places: [ListPlace] = []
      for state in Set(states) {
        let statement = statements.listByState
        statement.bind(1, state.rawValue)
        statement.bind(2, position.updatedAt.milliseconds)
        statement.bind(3, position.seq)
        statement.bind(4, Int64(limit))
        places += try statement.all(ListPlace.init(row:))
      }
      places.sort { $0.position > $1.position }
      return try renders(at: places.prefix(limit))
    }
  }

  /// The renders in these states that have had no event since a moment, the longest first.
  public func listQuiet(
    _ states: [State],
    since moment: Timestamp,
    limit: Int
  ) throws(StoreError) -> [Render] {
    try snapshot { () throws(StoreError) in
      var places: [ListPlace] = []
      for state in Set(states) {
        let statement = statements.listQuiet
        statement.bind(1, state.rawValue)
        statement.bind(2, moment.milliseconds)
        statement.bind(3, Int64(limit))
        places += try statement.all(ListPlace.init(row:))
      }
      places.sort { $0.position < $1.position }
      return try renders(at: places.prefix(limit))
    }
  }

  private func renders(at places: some Sequence<ListPlace>) throws(StoreError) -> [Render] {
    var renders: [Render] = []
    for place in places {
      let statement = statements.selectRow
      statement.bind(1, place.row)
      guard let render = try statement.first(Render.init(row:)) else {
        throw .damaged("an index entry without its row")
      }
      renders.append(render)
    }
    return renders
  }

  /// How many renders are in each state in which there can be some.
  ///
  /// Of a large store most renders are completed; what there is in all is found at a fifth of the cost
  /// of counting those.
  public func counts() throws(StoreError) -> RenderCounts {
    try snapshot { () throws(StoreError) in
      let all = try statements.countAll.first { $0.integer(0) } ?? 0
      let queued = try count(in: .queued)
      let rendering = try count(in: .rendering)
      let failed = try count(in: .failed)
      return RenderCounts(
        queued: queued,
        rendering: rendering,
        completed: all - queued - rendering - failed,
        failed: failed
      )
    }
  }

  func count(in state: State) throws(StoreError) -> Int64 {
    let statement = statements.countByState
    statement.bind(1, state.rawValue)
    return try statement.first { $0.integer(0) } ?? 0
  }

  /// The first deadline of all renders.
  public func firstDeadline() throws(StoreError) -> Timestamp? {
    try statements.selectFirstDeadline
      .first { $0.optionalInteger(0).map(Timestamp.init(milliseconds:)) } ?? nil
  }

  func rendersPastDeadline(at now: Timestamp, limit: Int) throws(StoreError) -> [Render] {
    let statement = statements.selectOverdue
    statement.bind(1, now.milliseconds)
    statement.bind(2, Int64(limit))
    return try statement.all(Render.init(row:))
  }

  func saveDeadline(of render: Render) throws(StoreError) {
    let statement = statements.updateDeadline
    statement.bind(1, render.id)
    statement.bind(2, render.deadline?.at.milliseconds)
    try statement.run()
  }

  /// Keeps a render that starts again among the last of the table, because it will change many times:
  /// those that change are then on few pages, however many others lie between them.
  ///
  /// - Returns: its row from now on.
  private func moveAmongTheLast(_ row: Int64) throws(StoreError) -> Int64 {
    let last = try statements.selectLastRow.first { $0.integer(0) } ?? row
    guard last - row >= lastRows else { return row }
    let statement = statements.updateRow
    statement.bind(1, row)
    statement.bind(2, last + 1)
    try statement.run()
    return last + 1
  }

  /// Saves what was decided, provided the render is still what it was decided on.
  func save(_ next: Render, replacing previous: StoredRender) throws(StoreError) {
    if var row = previous.row {
      if next.lastEvent == .start { row = try moveAmongTheLast(row) }
      let statement = statements.updateRender
      statement.bind(next)
      statement.bind(1, row)
      try statement.run()
      guard sqlite3_changes(handle) == 1 else {
        throw .defect("\(next.id) changed inside a transaction")
      }
      cache.keep(StoredRender(render: next, row: row))
    } else {
      let statement = statements.insertRender
      statement.bind(next)
      statement.bind(1, next.id)
      try statement.run()
      cache.keep(StoredRender(render: next, row: sqlite3_last_insert_rowid(handle)))
    }
  }
}

/// So many rows at the end of the table stand together: about a hundred pages.
private let lastRows: Int64 = 4_096

/// An entry of the index of the list.
private struct ListPlace {
  let position: RenderStore.ListPosition
  let row: Int64

  init(row entry: SQLStatement) {
    position = RenderStore.ListPosition(updatedAt: entry.time(0), seq: entry.integer(1))
    row = entry.integer(2)
  }
}

/// A render, and where it is kept.
struct StoredRender {
  let render: Render
  /// Nil for a render that was never started.
  let row: Int64?
}

extension SQLStatement {
  /// Binds all but the first parameter, which says which render it is.
  fileprivate func bind(_ render: Render) {
    bind(2, render.state.rawValue)
    bind(3, render.progress)
    bind(4, render.renderID)
    bind(5, render.bucketName)
    bind(6, render.videoURL)
    bind(7, render.error)
    bind(8, render.metadata.text)
    bind(9, render.run)
    bind(10, render.attempt)
    bind(11, render.version)
    bind(12, render.lastEvent?.rawValue)
    bind(13, render.seq)
    bind(14, render.createdAt.milliseconds)
    bind(15, render.updatedAt.milliseconds)
    bind(16, render.startedAt.milliseconds)
    bind(17, render.timeouts.queued)
    bind(18, render.timeouts.stall)
    bind(19, render.timeouts.total)
    bind(20, render.deadline?.at.milliseconds)
  }
}

extension Render {
  init(row: SQLStatement) throws(StoreError) {
    guard let metadata = Metadata(stored: row.text(7)) else {
      throw .damaged("metadata that is no JSON object")
    }
    self.init(
      id: row.text(0),
      state: try row.word(1),
      progress: row.double(2),
      renderID: row.optionalText(3),
      bucketName: row.optionalText(4),
      videoURL: row.optionalText(5),
      error: row.optionalText(6),
      metadata: metadata,
      run: row.integer(8),
      attempt: row.integer(9),
      version: row.integer(10),
      lastEvent: try row.word(11) as Event,
      seq: row.integer(12),
      createdAt: row.time(13),
      updatedAt: row.time(14),
      startedAt: row.time(15),
      timeouts: Timeouts(
        queued: row.optionalInteger(16),
        stall: row.optionalInteger(17),
        total: row.optionalInteger(18)
      )
    )
    if let moment = row.optionalTime(19) {
      // Who changes a render by hand leaves its deadline to be worked out.
      deadline = moment.milliseconds == 0 ? deadline(afterEventAt: updatedAt) : deadline(at: moment)
    }
  }
}
