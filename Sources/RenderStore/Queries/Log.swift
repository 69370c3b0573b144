public import RenderModel

enum LogSQL {
  static let columns = """
    seq, id, event, previous_state, state, progress, render_id, bucket_name, video_url, error,
    metadata, run, attempt, version, actor, at
    """

  static let insert = """
    INSERT INTO transitions (\(columns), action, idempotency_key, previous_seq)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    """

  static let insertRenderID = "INSERT INTO render_ids (id, render_id) VALUES (?1, ?2)"

  static let selectHead = "SELECT max(seq) FROM transitions"

  static let selectChanges = """
    SELECT \(columns) FROM transitions WHERE seq > ?1 ORDER BY seq LIMIT ?2
    """

  static let selectChange = "SELECT \(columns) FROM transitions WHERE seq = ?1"

  /// A page of a render's changes after ?2: enters its chain at the first entry that is at least a page
  /// behind ?2, else at its end, and goes down from there.
  static let selectHistory = """
    WITH RECURSIVE chain (seq) AS (
      SELECT ifnull(
        (SELECT seq FROM transitions WHERE id = ?1 AND version % \(entryInterval) = 1 AND seq > ?2
          ORDER BY seq LIMIT 1 OFFSET ?4),
        (SELECT seq FROM renders WHERE id = ?1)
      ) AS entry WHERE entry > ?2
      UNION ALL
      SELECT previous_seq FROM chain CROSS JOIN transitions USING (seq) WHERE previous_seq > ?2
    )
    SELECT \(columns) FROM chain CROSS JOIN transitions USING (seq) ORDER BY seq LIMIT ?3
    """

  /// A chain has an entry every so many changes: see the index transitions_by_id.
  static let entryInterval = 256

  /// A render's last changes, oldest first: its chain from the end, as far as wanted.
  static let selectLatest = """
    WITH RECURSIVE chain (seq) AS (
      SELECT seq FROM renders WHERE id = ?1
      UNION ALL
      SELECT previous_seq FROM chain CROSS JOIN transitions USING (seq) WHERE previous_seq > 0
      LIMIT ?2
    )
    SELECT \(columns) FROM chain CROSS JOIN transitions USING (seq) ORDER BY seq
    """

  static let selectKeyUse = """
    SELECT action, previous_state, version, seq FROM transitions
    WHERE id = ?1 AND idempotency_key = ?2
    """

  static let selectRenderID = "SELECT 1 FROM render_ids WHERE id = ?1 AND render_id = ?2"
}

extension RenderStore {
  /// Adds a change at the end of the log, behind the one before of the same render.
  func append(
    _ change: Change,
    by command: Command,
    after previousSeq: Int64
  ) throws(StoreError) {
    let statement = statements.insertChange
    statement.bind(1, change.seq)
    statement.bind(2, change.id)
    statement.bind(3, change.event.rawValue)
    statement.bind(4, change.previousState.rawValue)
    statement.bind(5, change.state.rawValue)
    statement.bind(6, change.progress)
    statement.bind(7, change.renderID)
    statement.bind(8, change.bucketName)
    statement.bind(9, change.videoURL)
    statement.bind(10, change.error)
    statement.bind(11, change.metadata)
    statement.bind(12, change.run)
    statement.bind(13, change.attempt)
    statement.bind(14, change.version)
    statement.bind(15, change.actor)
    statement.bind(16, change.at.milliseconds)
    statement.bind(17, command.action.name)
    statement.bind(18, command.idempotencyKey)
    statement.bind(19, previousSeq)
    try statement.run()
  }

  /// Remembers a renderId that the id has not had before.
  func remember(renderID: String, of id: String) throws(StoreError) {
    let statement = statements.insertRenderID
    statement.bind(1, id)
    statement.bind(2, renderID)
    try statement.run()
  }

  /// The number of the last change in the log, 0 if there is none.
  public func head() throws(StoreError) -> Int64 {
    try statements.selectHead.first { $0.integer(0) } ?? 0
  }

  /// The changes after a number, oldest first.
  public func changes(after seq: Int64, limit: Int) throws(StoreError) -> [Change] {
    let statement = statements.selectChanges
    statement.bind(1, seq)
    statement.bind(2, Int64(limit))
    return try statement.all(Change.init(row:))
  }

  /// The change of that number, nil if the log has none.
  public func change(_ seq: Int64) throws(StoreError) -> Change? {
    let statement = statements.selectChange
    statement.bind(1, seq)
    return try statement.first(Change.init(row:))
  }

  /// The changes of one render after a number, oldest first.
  public func history(
    of id: String,
    after seq: Int64,
    limit: Int
  ) throws(StoreError) -> [Change] {
    try snapshot { () throws(StoreError) in
      var changes: [Change] = []
      // Of a render that is being pruned there may be some left.
      guard try stored(id).row != nil else { return changes }
      // Where changes were pruned there are fewer than usual before an entry of the chain.
      while changes.count < limit {
        let rest = limit - changes.count
        let statement = statements.selectHistory
        statement.bind(1, id)
        statement.bind(2, changes.last?.seq ?? seq)
        statement.bind(3, Int64(rest))
        // The first entry is a change after `seq` itself.
        statement.bind(4, Int64(rest / LogSQL.entryInterval + 1))
        let page = try statement.all(Change.init(row:))
        guard !page.isEmpty else { break }
        changes += page
      }
      return changes
    }
  }

  /// The last changes of one render, oldest first.
  public func latestChanges(of id: String, limit: Int) throws(StoreError) -> [Change] {
    let statement = statements.selectLatest
    statement.bind(1, id)
    statement.bind(2, Int64(limit))
    return try statement.all(Change.init(row:))
  }

  /// What has to be known of the past to decide on a command to a render.
  func past(of command: Command, to stored: StoredRender) throws(StoreError) -> Past {
    var past = Past()
    if let key = command.idempotencyKey {
      let statement = statements.selectKeyUse
      statement.bind(1, command.id)
      statement.bind(2, key)
      past.keyUse = try statement.first(Past.KeyUse.init(row:))
    }
    if let renderID = stored.render.renderIDFromPast(for: command) {
      let statement = statements.selectRenderID
      statement.bind(1, command.id)
      statement.bind(2, renderID)
      past.hadRenderID = try statement.first { _ in true } ?? false
    }
    if stored.row == nil { past.prunedVersion = try prunedVersion(of: command.id) }
    return past
  }
}

extension Past.KeyUse {
  fileprivate init(row: SQLStatement) throws(StoreError) {
    guard let action = Command.Action(name: row.text(0)) else {
      throw .damaged("an action of an unknown name")
    }
    self.init(
      action: action,
      previousState: try row.word(1),
      version: row.integer(2),
      seq: row.integer(3)
    )
  }
}

extension Change {
  init(row: SQLStatement) throws(StoreError) {
    var metadata: Metadata?
    if let text = row.optionalText(10) {
      metadata = Metadata(stored: text)
      guard metadata != nil else { throw .damaged("metadata that is no JSON object") }
    }
    self.init(
      seq: row.integer(0),
      id: row.text(1),
      event: try row.word(2),
      previousState: try row.word(3),
      state: try row.word(4),
      progress: row.double(5),
      renderID: row.optionalText(6),
      bucketName: row.optionalText(7),
      videoURL: row.optionalText(8),
      error: row.optionalText(9),
      metadata: metadata?.text,
      run: row.integer(11),
      attempt: row.integer(12),
      version: row.integer(13),
      actor: row.optionalText(14),
      at: row.time(15)
    )
  }
}
