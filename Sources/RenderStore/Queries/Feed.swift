internal import JSON
public import RenderModel

/// Which changes somebody wants to hear of.
public struct ChangeFilter: Sendable {
  /// As a JSON array for SQL, nil for every id.
  let idsText: String?
  /// The states as one text for SQL, nil for every state.
  let statesText: String?

  /// - Parameters:
  ///   - ids: the renders; nil for all.
  ///   - states: the states after the change; nil for all.
  public init(ids: [String]?, states: [State]?) {
    idsText = ids.map { JSON.array($0.map(JSON.string)).compactText }
    statesText = states.map { $0.map(\.rawValue).joined(separator: " ") }
  }

  /// Whether the renders are named.
  public var hasIDs: Bool { idsText != nil }
}

/// A stretch of the log: the changes after one number, up to and with another.
public struct LogRange: Sendable {
  public var after: Int64
  public var upTo: Int64

  public init(after: Int64, upTo: Int64) {
    self.after = after
    self.upTo = upTo
  }
}

/// A render's newest change in a stretch, and how many before it were left out.
public struct FoldedChange: Sendable {
  public let seq: Int64
  public let skipped: Int64
}

enum FeedSQL {
  private static let isInRange = "seq > ?1 AND seq <= ?2"
  private static let isInStates = "(?3 IS NULL OR instr(?3, state))"

  /// The changes after ?1 of the ids in a JSON array, each render's from its newest downwards.
  static func chain(ofIDsIn parameter: Int) -> String {
    """
    WITH RECURSIVE chain (seq) AS (
      SELECT renders.seq FROM json_each(?\(parameter)) CROSS JOIN renders
        WHERE renders.id = value AND renders.seq > ?1
      UNION ALL
      SELECT previous_seq FROM chain CROSS JOIN transitions USING (seq) WHERE previous_seq > ?1
    )
    """
  }

  static let matching = """
    SELECT \(LogSQL.columns) FROM transitions
    WHERE \(isInRange) AND \(isInStates) ORDER BY seq LIMIT ?4
    """

  static let matchingIDs = """
    \(chain(ofIDsIn: 5))
    SELECT \(LogSQL.columns) FROM chain CROSS JOIN transitions USING (seq)
    WHERE \(isInRange) AND \(isInStates) ORDER BY seq LIMIT ?4
    """

  static let count = """
    SELECT count(*) FROM
      (SELECT 1 FROM transitions WHERE \(isInRange) AND \(isInStates) LIMIT ?4)
    """

  static let countIDs = """
    \(chain(ofIDsIn: 5))
    SELECT count(*) FROM
      (SELECT 1 FROM chain CROSS JOIN transitions USING (seq)
       WHERE \(isInRange) AND \(isInStates) LIMIT ?4)
    """

  /// Of the rows in ?4 to ?5, those that are their render's newest in ?1 to ?2.
  static let newest = """
    SELECT seq, (
      WITH RECURSIVE earlier (seq) AS (
        SELECT newest.previous_seq WHERE newest.previous_seq > ?1
        UNION ALL
        SELECT previous_seq FROM earlier CROSS JOIN transitions USING (seq) WHERE previous_seq > ?1
      )
      SELECT count(*) FROM earlier CROSS JOIN transitions USING (seq) WHERE \(isInStates)
    )
    FROM transitions AS newest
    WHERE seq > ?4 AND seq <= ?5 AND \(isInStates) AND seq = (
      WITH RECURSIVE later (seq) AS (
        SELECT renders.seq FROM renders WHERE renders.id = newest.id
        UNION ALL
        SELECT previous_seq FROM later CROSS JOIN transitions USING (seq)
          WHERE previous_seq >= newest.seq
      )
      SELECT seq FROM later CROSS JOIN transitions USING (seq)
        WHERE seq <= ?2 AND \(isInStates) LIMIT 1
    )
    ORDER BY seq
    """

  static let newestIDs = """
    \(chain(ofIDsIn: 5))
    SELECT max(seq), count(*) - 1 FROM chain CROSS JOIN transitions USING (seq)
    WHERE \(isInRange) AND \(isInStates)
    GROUP BY id ORDER BY max(seq)
    """

  static let states = """
    \(chain(ofIDsIn: 3))
    SELECT seq, id, state FROM chain CROSS JOIN transitions USING (seq)
    WHERE \(isInRange) ORDER BY seq
    """
}

extension RenderStore {
  /// The first changes that match in a stretch of the log, oldest first.
  public func changes(
    matching filter: ChangeFilter,
    in range: LogRange,
    limit: Int
  ) throws(StoreError) -> [Change] {
    let statement = filter.hasIDs ? statements.logMatchingIDs : statements.logMatching
    statement.bind(filter, range)
    statement.bind(4, Int64(limit))
    return try statement.all(Change.init(row:))
  }

  /// How many changes match in a stretch of the log, counted up to a limit.
  public func count(
    matching filter: ChangeFilter,
    in range: LogRange,
    limit: Int
  ) throws(StoreError) -> Int {
    let statement = filter.hasIDs ? statements.countMatchingIDs : statements.countMatching
    statement.bind(filter, range)
    statement.bind(4, Int64(limit))
    return Int(try statement.first { $0.integer(0) } ?? 0)
  }

  /// Each render's newest matching change in a stretch, as far as it stands in a part of it; a
  /// filter with ids is looked up as a whole, whatever the part.
  public func newestChanges(
    matching filter: ChangeFilter,
    in range: LogRange,
    part: LogRange
  ) throws(StoreError) -> [FoldedChange] {
    let statement = filter.hasIDs ? statements.newestMatchingIDs : statements.newestMatching
    statement.bind(filter, range)
    if !filter.hasIDs {
      statement.bind(4, part.after)
      statement.bind(5, part.upTo)
    }
    return try statement.all { FoldedChange(seq: $0.integer(0), skipped: $0.integer(1)) }
  }

  /// Hands out the states that the filter's ids took in a stretch of the log, in order, with the
  /// number of the change.
  public func readStates(
    of filter: ChangeFilter,
    in range: LogRange,
    _ body: (Int64, String, State) -> Void
  ) throws(StoreError) {
    let statement = statements.statesOfIDs
    statement.bind(1, range.after)
    statement.bind(2, range.upTo)
    statement.bind(3, filter.idsText)
    try statement.read { row throws(StoreError) in
      body(row.integer(0), row.text(1), try row.word(2))
    }
  }
}

extension SQLStatement {
  fileprivate func bind(_ filter: ChangeFilter, _ range: LogRange) {
    bind(1, range.after)
    bind(2, range.upTo)
    bind(3, filter.statesText)
    if let ids = filter.idsText { bind(5, ids) }
  }
}
