internal import RenderModel

/// What came of following the log from its start.
public struct LogReplay: Sendable {
  /// A thing that is not as it should be.
  public struct Fault: Sendable {
    /// The render it is about.
    public let id: String
    /// The change it is about; of a render as it stands, its last one.
    public let seq: Int64
    public let what: String
  }

  /// The most faults that are told one by one; one tends to have many consequences.
  public static let mostFaults = 20

  /// Rows of the log.
  public internal(set) var changes: Int64 = 0
  /// Renders that were compared with it.
  public internal(set) var renders: Int64 = 0
  /// How many numbers are missing in the log, those of changes that were pruned excepted.
  public internal(set) var missing: Int64 = 0
  /// The first of them.
  public internal(set) var firstMissing: Int64?
  /// Where the log contradicts itself or the renders; the first of them.
  public internal(set) var faults: [Fault] = []
  public internal(set) var faultCount: Int64 = 0

  mutating func find(_ what: String, of id: String, seq: Int64) {
    faultCount += 1
    if faults.count < Self.mostFaults { faults.append(Fault(id: id, seq: seq, what: what)) }
  }
}

extension StoreReader {
  /// Follows the log from its start, and compares where it leads with the renders as they stand.
  ///
  /// Each change has to be a legal step from the one before of the same render, and the last one has to
  /// be what the render is; so none of them is missing either. Metadata is left out: what is changed by hand
  /// has none in the log.
  ///
  /// - Parameter progress: told how much is done, from 0 to 1.
  /// - Returns: what was followed, and what is wrong.
  /// - Throws: a `StoreError` where the file cannot be read.
  public func replay(progress: (Double) -> Void = { _ in }) throws -> LogReplay {
    try snapshot {
      var replay = LogReplay()
      let head = try number("SELECT max(seq) FROM transitions")
      // What takes the longest: a row of the log; a render takes about as long.
      let work = Double(max(1, head + (try number("SELECT count(*) FROM renders"))))
      var done = 0.0
      func advance() {
        done += 1
        if done.truncatingRemainder(dividingBy: 1_024) == 0 { progress(min(1, done / work)) }
      }
      try statement(ReplaySQL.steps).read { row throws(StoreError) in
        replay.follow(row)
        advance()
      }
      try statement(ReplaySQL.renders).read { row throws(StoreError) in
        replay.renders += 1
        if let what = row.optionalText(2) {
          replay.find(what, of: row.text(0), seq: row.integer(1))
        }
        advance()
      }
      let pruned = try number("SELECT changes FROM pruned WHERE one = 1")
      if pruned > 0 { replay.except(pruned) }
      replay.countVersions(try number(ReplaySQL.versions) - pruned)
      return replay
    }
  }
}

enum ReplaySQL {
  /// Each change beside the one before of the same render that is there.
  static let steps = """
    SELECT this.seq, this.id, this.event, this.previous_state, this.state, this.run, this.attempt,
      this.version, this.at, this.previous_seq,
      last.seq, last.id = this.id, last.state, last.run, last.attempt, last.version, last.at,
      this.render_id IS NOT NULL AND this.render_id IS NOT last.render_id AND NOT EXISTS
        (SELECT 1 FROM render_ids WHERE id = this.id AND render_id = this.render_id),
      this.pruned_seq,
      CASE this.previous_seq WHEN 0 THEN
        (SELECT version FROM pruned_renders WHERE id = this.id)
      END
    FROM transitions AS this LEFT JOIN transitions AS last ON last.seq = this.previous_seq
    ORDER BY this.seq
    """

  /// Each render, and in what it is not its last change.
  ///
  /// When its attempt was started is nothing to go by: that is moved when the clock is set.
  static let renders = """
    SELECT render.id, render.seq, CASE
      WHEN last.seq IS NULL THEN 'its last change is not in the log'
      WHEN last.id <> render.id THEN 'its last change is one of another render'
      WHEN last.version <> render.version THEN 'the log says another version'
      WHEN last.state <> render.state THEN 'the log says another state'
      WHEN last.event <> render.event THEN 'the log says another event'
      WHEN last.run <> render.run THEN 'the log says another run'
      WHEN last.attempt <> render.attempt THEN 'the log says another attempt'
      WHEN last.progress <> render.progress THEN 'the log says another progress'
      WHEN last.render_id IS NOT render.render_id THEN 'the log says another renderId'
      WHEN last.bucket_name IS NOT render.bucket_name THEN 'the log says another bucketName'
      WHEN last.video_url IS NOT render.video_url THEN 'the log says another videoUrl'
      WHEN last.error IS NOT render.error THEN 'the log says another error'
      WHEN last.at <> render.updated_at THEN 'the log says another time'
      WHEN NOT json_valid(render.metadata) THEN 'its metadata is no JSON'
    END
    FROM renders AS render LEFT JOIN transitions AS last ON last.seq = render.seq
    """

  /// How many changes there have ever been, by the versions that the renders have come to.
  static let versions = """
    SELECT (SELECT ifnull(sum(version), 0) FROM renders) + (
      SELECT ifnull(sum(version), 0) FROM pruned_renders
      WHERE NOT EXISTS (SELECT 1 FROM renders WHERE renders.id = pruned_renders.id)
    )
    """
}

extension LogReplay {
  /// Follows one step of a render.
  fileprivate mutating func follow(_ row: SQLStatement) {
    let step = Step(row)
    let expected = changes + missing + 1
    if step.seq > expected {
      firstMissing = firstMissing ?? expected
      missing += step.seq - expected
    }
    changes += 1
    if let fault = step.fault { find(fault, of: row.text(1), seq: step.seq) }
    if row.integer(17) != 0 {
      find("its renderId is not among those the render ever had", of: row.text(1), seq: step.seq)
    }
  }

  /// Takes what was pruned from what is missing: which numbers those were, nobody knows.
  fileprivate mutating func except(_ pruned: Int64) {
    firstMissing = nil
    missing -= pruned
    guard missing != 0 else { return }
    find(
      "\(pruned) changes were pruned from the log, and \(missing + pruned) are not there",
      of: "",
      seq: 0
    )
  }

  /// A render of version 5 has five changes; where there are more, some lead nowhere.
  fileprivate mutating func countVersions(_ versions: Int64) {
    guard faultCount == 0, missing == 0, versions != changes else { return }
    find("the log has \(changes) changes, and the renders \(versions)", of: "", seq: changes)
  }
}

/// A change, and the one before of the same render.
private struct Step {
  struct Side {
    let state: State?
    let run: Int64
    let attempt: Int64
    let version: Int64
    let at: Int64
  }

  let seq: Int64
  let event: Event?
  let previousState: State?
  let this: Side
  let previousSeq: Int64
  /// nil where the log has no such row.
  let last: Side?
  let isOfSameRender: Bool
  /// Progress was pruned right before it.
  let isBehindPruned: Bool
  /// The last version of an earlier render of the id, 0 if there was none.
  let prunedVersion: Int64

  init(_ row: SQLStatement) {
    seq = row.integer(0)
    event = Event(rawValue: row.text(2))
    previousState = State(rawValue: row.text(3))
    this = Side(
      state: State(rawValue: row.text(4)),
      run: row.integer(5),
      attempt: row.integer(6),
      version: row.integer(7),
      at: row.integer(8)
    )
    previousSeq = row.integer(9)
    last = row.optionalInteger(10).map { _ in
      Side(
        state: State(rawValue: row.text(12)),
        run: row.integer(13),
        attempt: row.integer(14),
        version: row.integer(15),
        at: row.integer(16)
      )
    }
    isOfSameRender = row.integer(11) != 0
    isBehindPruned = row.optionalInteger(18) != nil
    prunedVersion = row.integer(19)
  }

  /// Why it is no legal step; nil if it is one.
  var fault: String? {
    guard let event, let previousState, let state = this.state else {
      return "a state or an event that does not exist"
    }
    guard Machine.row(from: previousState, event: event)?.to == state else {
      return "\(event) in state \(previousState) does not lead to \(state)"
    }
    guard previousSeq != 0 else {
      // Of a render that is being pruned the beginning goes last.
      let isFirst =
        (1...prunedVersion + 1).contains(this.version) && previousState == .idle
        && (this.run, this.attempt) == (1, 1)
      return isFirst ? nil : "nothing goes before it, and it is not the first"
    }
    guard previousSeq < seq, let last else {
      return "the change before, \(previousSeq), is missing"
    }
    guard isOfSameRender else {
      return "the change before, \(previousSeq), is one of another render"
    }
    return fault(of: event, from: previousState, after: last)
  }

  private func fault(of event: Event, from previousState: State, after last: Side) -> String? {
    guard isBehindPruned ? this.version > last.version : this.version == last.version + 1 else {
      return "version \(this.version) comes after version \(last.version)"
    }
    guard this.at >= last.at else { return "it is dated before the change before it" }
    if this.run == last.run + 1 {
      let isLegal =
        last.state?.isTerminal == true && previousState == .idle && this.attempt == 1
      return isLegal ? nil : "a run begins that may not"
    }
    guard this.run == last.run else { return "run \(this.run) comes after run \(last.run)" }
    guard previousState == last.state else { return "the state before was another one" }
    guard this.attempt == last.attempt + (event == .start ? 1 : 0) else {
      return "attempt \(this.attempt) comes after attempt \(last.attempt)"
    }
    return nil
  }
}
