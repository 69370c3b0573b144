internal import GRDB
internal import RenderModel

enum PrunedSQL {
  /// Whether a change to one of the states in ?3 was pruned after ?1; of all renders or of one, as the
  /// table has it.
  private static let isAfter =
    State.allCases.filter { $0 != .idle }
    .map { "(\($0)_seq > ?1 AND (?3 IS NULL OR instr(?3, '\($0)')))" }.joined(separator: " OR ")

  static let selectAny = "SELECT left_seq > ?1, \(isAfter) FROM pruned WHERE one = 1"

  /// The same of the ids in ?5; of a render that is there only progress is pruned.
  static let selectAnyOfIDs = """
    \(FeedSQL.chain(ofIDsIn: 5))
    SELECT 1 FROM chain CROSS JOIN transitions USING (seq)
      WHERE pruned_seq > ?1 AND (?3 IS NULL OR instr(?3, 'rendering'))
    UNION ALL
    SELECT 1 FROM json_each(?5) CROSS JOIN pruned_renders ON pruned_renders.id = value
      WHERE \(isAfter)
    LIMIT 1
    """

  static let selectVersion = "SELECT version FROM pruned_renders WHERE id = ?1"

  // MARK: - Pruning

  /// Progress that brought no change of state.
  static let isMereProgress = "event = 'progress' AND previous_state = 'rendering'"

  static let selectPlace = "SELECT searched_seq, left_seq FROM pruned WHERE one = 1"

  static let savePlace = """
    UPDATE pruned SET searched_seq = ?1, left_seq = ?2, changes = changes + ?3 WHERE one = 1
    """

  private static let newest =
    State.allCases.filter { $0 != .idle }.enumerated()
    .map { "\($1)_seq = max(\($1)_seq, ?\($0 + 1))" }.joined(separator: ", ")

  static let saveNewest = "UPDATE pruned SET \(newest) WHERE one = 1"

  static let saveNewestOfID = "UPDATE pruned_renders SET \(newest) WHERE id = ?5"

  /// The render in a state that has been so the longest, if since ?2 at least; but not the one that
  /// changed last of all, for the log goes on counting from its newest change.
  static let selectFinished = """
    SELECT row, id, version, seq FROM renders
    WHERE state = ?1 AND updated_at <= ?2 AND seq < (SELECT max(seq) FROM transitions)
    ORDER BY updated_at, seq LIMIT 1
    """

  static let deleteRender = "DELETE FROM renders WHERE row = ?1"

  static let saveVersion = """
    INSERT INTO pruned_renders (id, version) VALUES (?1, ?2)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version
    """

  static let deleteChange = """
    DELETE FROM transitions WHERE seq = ?1 RETURNING previous_seq, pruned_seq, state, id
    """

  static let selectLinks = """
    SELECT seq, previous_seq, at FROM transitions WHERE seq > ?1 ORDER BY seq LIMIT ?2
    """

  static let deleteProgress = """
    DELETE FROM transitions WHERE seq = ?1 AND \(isMereProgress) RETURNING previous_seq
    """

  static let relink = "UPDATE transitions SET previous_seq = ?2, pruned_seq = ?3 WHERE seq = ?1"

  // MARK: - Foreseeing

  static let countFinished = "SELECT count(*) FROM renders WHERE state = ?1 AND updated_at <= ?2"

  /// Finished renders behind a place in the list, and the newest change of each.
  static let selectFinishedBehind = """
    SELECT updated_at, seq FROM renders
    WHERE state = ?1 AND updated_at <= ?2 AND (updated_at, seq) > (?3, ?4)
      AND seq < (SELECT max(seq) FROM transitions)
    ORDER BY updated_at, seq LIMIT ?5
    """

  /// How many changes there are from one downwards.
  static let countChain = """
    WITH RECURSIVE chain (seq) AS (
      SELECT seq FROM transitions WHERE seq = ?1
      UNION ALL
      SELECT previous_seq FROM chain CROSS JOIN transitions USING (seq) WHERE previous_seq > 0
    )
    SELECT count(*) FROM chain
    """

  /// Whether a change is mere progress of a render that stays, if those go that have ended at ?2 or
  /// before.
  static let selectProgress = """
    SELECT 1 FROM transitions WHERE seq = ?1 AND \(isMereProgress) AND EXISTS (
      SELECT 1 FROM renders WHERE renders.id = transitions.id AND (
        ?2 IS NULL OR updated_at > ?2 OR state = 'queued' OR state = 'rendering'
          OR renders.seq = (SELECT max(seq) FROM transitions)
      )
    )
    """
}

/// The statements of pruning, prepared when something is pruned first.
final class PruningStatements {
  let selectPlace: SQLStatement
  let savePlace: SQLStatement
  let saveNewest: SQLStatement
  let saveNewestOfID: SQLStatement
  let selectFinished: SQLStatement
  let deleteRender: SQLStatement
  let saveVersion: SQLStatement
  let deleteChange: SQLStatement
  let selectLinks: SQLStatement
  let deleteProgress: SQLStatement
  let relink: SQLStatement
  let countFinished: SQLStatement
  let selectFinishedBehind: SQLStatement
  let countChain: SQLStatement
  let selectProgress: SQLStatement

  init(_ database: Database) throws {
    func prepare(_ sql: String) throws -> SQLStatement { try SQLStatement(database, sql) }
    selectPlace = try prepare(PrunedSQL.selectPlace)
    savePlace = try prepare(PrunedSQL.savePlace)
    saveNewest = try prepare(PrunedSQL.saveNewest)
    saveNewestOfID = try prepare(PrunedSQL.saveNewestOfID)
    selectFinished = try prepare(PrunedSQL.selectFinished)
    deleteRender = try prepare(PrunedSQL.deleteRender)
    saveVersion = try prepare(PrunedSQL.saveVersion)
    deleteChange = try prepare(PrunedSQL.deleteChange)
    selectLinks = try prepare(PrunedSQL.selectLinks)
    deleteProgress = try prepare(PrunedSQL.deleteProgress)
    relink = try prepare(PrunedSQL.relink)
    countFinished = try prepare(PrunedSQL.countFinished)
    selectFinishedBehind = try prepare(PrunedSQL.selectFinishedBehind)
    countChain = try prepare(PrunedSQL.countChain)
    selectProgress = try prepare(PrunedSQL.selectProgress)
  }
}

/// How far pruning has come in the log.
struct PruningPlace: Equatable {
  /// Of the progress right before a change up to this one, none is left.
  var searched: Int64
  /// The newest change that is still there of a render that is not; 0 if there is none.
  var left: Int64
}

/// The newest change to each state that was pruned.
struct NewestPruned {
  private var seqs: [State: Int64] = [:]

  var isEmpty: Bool { seqs.isEmpty }

  mutating func note(_ seq: Int64, _ state: State) {
    seqs[state] = max(seqs[state] ?? 0, seq)
  }

  mutating func note(_ others: NewestPruned) {
    for (state, seq) in others.seqs { note(seq, state) }
  }

  fileprivate func bind(to statement: SQLStatement) {
    for (index, state) in State.allCases.filter({ $0 != .idle }).enumerated() {
      statement.bind(Int32(index + 1), seqs[state] ?? 0)
    }
  }
}

/// A change and the one before of the same render.
struct ChangeLink {
  let seq: Int64
  let previous: Int64
  let at: Timestamp
}

/// A render that has ended, as far as pruning needs to know it.
struct FinishedRender {
  let row: Int64
  let id: String
  let version: Int64
  let seq: Int64
}

/// What a deleted change was.
struct DeletedChange {
  let previous: Int64
  let pruned: Int64?
  let state: State
  let id: String
}

extension RenderStore {
  /// Whether a change after a number that matches a filter was pruned.
  public func hasPruned(matching filter: ChangeFilter, after seq: Int64) throws(StoreError) -> Bool
  {
    let statement = statements.selectPruned
    statement.bind(1, seq)
    statement.bind(3, filter.statesText)
    let found = try statement.first { ($0.integer(0) != 0, $0.integer(1) != 0) }
    guard let (isUnderWay, isAny) = found else { throw .damaged("no row in the table pruned") }
    // Of a render that is half deleted nobody can say which changes it had.
    guard isAny, !isUnderWay, let ids = filter.idsText else { return isAny || isUnderWay }
    let ofIDs = statements.selectPrunedOfIDs
    ofIDs.bind(1, seq)
    ofIDs.bind(3, filter.statesText)
    ofIDs.bind(5, ids)
    return try ofIDs.first { _ in true } ?? false
  }

  /// The last version of an id's render that was pruned, 0 if none was.
  public func prunedVersion(of id: String) throws(StoreError) -> Int64 {
    let statement = statements.selectPrunedVersion
    statement.bind(1, id)
    return try statement.first { $0.integer(0) } ?? 0
  }

  // MARK: - Pruning

  func pruningPlace() throws(StoreError) -> PruningPlace {
    let place = try pruningStatements().selectPlace.first {
      PruningPlace(searched: $0.integer(0), left: $0.integer(1))
    }
    guard let place else { throw .damaged("no row in the table pruned") }
    return place
  }

  /// Saves where pruning goes on, and how many changes were pruned since it was saved last.
  func save(_ place: PruningPlace, adding changes: Int64) throws(StoreError) {
    let statement = try pruningStatements().savePlace
    statement.bind(1, place.searched)
    statement.bind(2, place.left)
    statement.bind(3, changes)
    try statement.run()
  }

  func save(_ newest: NewestPruned) throws(StoreError) {
    let statement = try pruningStatements().saveNewest
    newest.bind(to: statement)
    try statement.run()
  }

  func save(_ newest: NewestPruned, of id: String) throws(StoreError) {
    let statement = try pruningStatements().saveNewestOfID
    newest.bind(to: statement)
    statement.bind(5, id)
    try statement.run()
  }

  /// The render that ended first, if at a moment or before, in one of the states in which it can.
  func firstFinished(until moment: Timestamp) throws(StoreError) -> FinishedRender? {
    let statement = try pruningStatements().selectFinished
    for state in State.allCases where state.isTerminal {
      statement.bind(1, state.rawValue)
      statement.bind(2, moment.milliseconds)
      let render = try statement.first {
        FinishedRender(
          row: $0.integer(0),
          id: $0.text(1),
          version: $0.integer(2),
          seq: $0.integer(3)
        )
      }
      if let render { return render }
    }
    return nil
  }

  /// Deletes a render's row, and keeps what has to be known of it; its log is still there.
  func delete(_ render: FinishedRender) throws(StoreError) {
    let saving = try pruningStatements().saveVersion
    saving.bind(1, render.id)
    saving.bind(2, render.version)
    try saving.run()
    let deleting = try pruningStatements().deleteRender
    deleting.bind(1, render.row)
    try deleting.run()
    cache.keep(StoredRender(render: .idle(render.id), row: nil))
  }

  /// - Returns: nil if there is no such change.
  func deleteChange(_ seq: Int64) throws(StoreError) -> DeletedChange? {
    let statement = try pruningStatements().deleteChange
    statement.bind(1, seq)
    return try statement.first { row throws(StoreError) in
      DeletedChange(
        previous: row.integer(0),
        pruned: row.optionalInteger(1),
        state: try row.word(2),
        id: row.text(3)
      )
    }
  }

  /// The first changes after a number, each with the one before of its render.
  func links(after seq: Int64, limit: Int) throws(StoreError) -> [ChangeLink] {
    let statement = try pruningStatements().selectLinks
    statement.bind(1, seq)
    statement.bind(2, Int64(limit))
    return try statement.all {
      ChangeLink(seq: $0.integer(0), previous: $0.integer(1), at: $0.time(2))
    }
  }

  /// Deletes a change if it is mere progress.
  ///
  /// - Returns: the one before it; nil if it stays.
  func deleteProgress(_ seq: Int64) throws(StoreError) -> Int64? {
    let statement = try pruningStatements().deleteProgress
    statement.bind(1, seq)
    return try statement.first { $0.integer(0) }
  }

  /// Makes a change follow on another one, for those between are pruned.
  func relink(_ seq: Int64, to previous: Int64, pruned: Int64) throws(StoreError) {
    let statement = try pruningStatements().relink
    statement.bind(1, seq)
    statement.bind(2, previous)
    statement.bind(3, pruned)
    try statement.run()
  }

  // MARK: - Foreseeing

  /// How many renders in a state have ended at a moment or before.
  func countFinished(_ state: State, until moment: Timestamp) throws(StoreError) -> Int64 {
    let statement = try pruningStatements().countFinished
    statement.bind(1, state.rawValue)
    statement.bind(2, moment.milliseconds)
    return try statement.first { $0.integer(0) } ?? 0
  }

  /// The places in the list of the renders that may go, in a state, behind one.
  func finished(
    _ state: State,
    until moment: Timestamp,
    behind position: ListPosition,
    limit: Int
  ) throws(StoreError) -> [ListPosition] {
    let statement = try pruningStatements().selectFinishedBehind
    statement.bind(1, state.rawValue)
    statement.bind(2, moment.milliseconds)
    statement.bind(3, position.updatedAt.milliseconds)
    statement.bind(4, position.seq)
    statement.bind(5, Int64(limit))
    return try statement.all { ListPosition(updatedAt: $0.time(0), seq: $0.integer(1)) }
  }

  /// How many changes there are of a render from one downwards.
  func countChain(from seq: Int64) throws(StoreError) -> Int64 {
    let statement = try pruningStatements().countChain
    statement.bind(1, seq)
    return try statement.first { $0.integer(0) } ?? 0
  }

  /// Whether a change is mere progress of a render that stays, where those go that have ended at a
  /// moment or before.
  func isProgress(_ seq: Int64, ofOtherThanFinishedUntil moment: Timestamp?) throws(StoreError)
    -> Bool
  {
    let statement = try pruningStatements().selectProgress
    statement.bind(1, seq)
    statement.bind(2, moment?.milliseconds)
    return try statement.first { _ in true } ?? false
  }
}
