internal import GRDB

/// Every statement that runs more than once, prepared when the store opens; those of pruning excepted.
final class Statements {
  let beginImmediate: SQLStatement
  let begin: SQLStatement
  let commit: SQLStatement
  let rollback: SQLStatement
  let commitNothing: SQLStatement
  let selectDataVersion: SQLStatement

  let selectRender: SQLStatement
  let insertRender: SQLStatement
  let updateRender: SQLStatement
  let updateRow: SQLStatement
  let selectLastRow: SQLStatement
  let selectOverdue: SQLStatement
  let selectFirstDeadline: SQLStatement
  let updateDeadline: SQLStatement
  let listByState: SQLStatement
  let selectRow: SQLStatement
  let listQuiet: SQLStatement
  let countByState: SQLStatement
  let countAll: SQLStatement

  let insertChange: SQLStatement
  let insertRenderID: SQLStatement
  let selectHead: SQLStatement
  let selectChanges: SQLStatement
  let selectChange: SQLStatement
  let selectHistory: SQLStatement
  let selectLatest: SQLStatement
  let selectKeyUse: SQLStatement
  let selectRenderID: SQLStatement

  let logMatching: SQLStatement
  let logMatchingIDs: SQLStatement
  let countMatching: SQLStatement
  let countMatchingIDs: SQLStatement
  let newestMatching: SQLStatement
  let newestMatchingIDs: SQLStatement
  let statesOfIDs: SQLStatement

  let selectPruned: SQLStatement
  let selectPrunedOfIDs: SQLStatement
  let selectPrunedVersion: SQLStatement

  let selectLease: SQLStatement
  let saveLease: SQLStatement
  let selectDurations: SQLStatement
  let addDurations: SQLStatement
  let selectClock: SQLStatement
  let saveClock: SQLStatement
  let selectOpenDeadlines: SQLStatement
  let moveDeadlines: SQLStatement
  let moveLeases: SQLStatement
  let pageCount: SQLStatement

  init(_ database: Database) throws {
    func prepare(_ sql: String) throws -> SQLStatement { try SQLStatement(database, sql) }
    beginImmediate = try prepare("BEGIN IMMEDIATE")
    begin = try prepare("BEGIN")
    commit = try prepare("COMMIT")
    rollback = try prepare("ROLLBACK")
    // Writes the first page as it is.
    commitNothing = try prepare("PRAGMA user_version = \(Schema.version)")
    selectDataVersion = try prepare("PRAGMA data_version")
    selectRender = try prepare(RenderSQL.select)
    insertRender = try prepare(RenderSQL.insert)
    updateRender = try prepare(RenderSQL.update)
    updateRow = try prepare(RenderSQL.updateRow)
    selectLastRow = try prepare(RenderSQL.selectLastRow)
    selectOverdue = try prepare(RenderSQL.selectOverdue)
    selectFirstDeadline = try prepare(RenderSQL.selectFirstDeadline)
    updateDeadline = try prepare(RenderSQL.updateDeadline)
    listByState = try prepare(RenderSQL.listByState)
    selectRow = try prepare(RenderSQL.selectRow)
    listQuiet = try prepare(RenderSQL.listQuiet)
    countAll = try prepare(RenderSQL.countAll)
    countByState = try prepare(RenderSQL.countByState)
    insertChange = try prepare(LogSQL.insert)
    insertRenderID = try prepare(LogSQL.insertRenderID)
    selectHead = try prepare(LogSQL.selectHead)
    selectChanges = try prepare(LogSQL.selectChanges)
    selectChange = try prepare(LogSQL.selectChange)
    selectHistory = try prepare(LogSQL.selectHistory)
    selectLatest = try prepare(LogSQL.selectLatest)
    selectKeyUse = try prepare(LogSQL.selectKeyUse)
    selectRenderID = try prepare(LogSQL.selectRenderID)
    logMatching = try prepare(FeedSQL.matching)
    logMatchingIDs = try prepare(FeedSQL.matchingIDs)
    countMatching = try prepare(FeedSQL.count)
    countMatchingIDs = try prepare(FeedSQL.countIDs)
    newestMatching = try prepare(FeedSQL.newest)
    newestMatchingIDs = try prepare(FeedSQL.newestIDs)
    statesOfIDs = try prepare(FeedSQL.states)
    selectPruned = try prepare(PrunedSQL.selectAny)
    selectPrunedOfIDs = try prepare(PrunedSQL.selectAnyOfIDs)
    selectPrunedVersion = try prepare(PrunedSQL.selectVersion)
    selectLease = try prepare(LeaseSQL.select)
    saveLease = try prepare(LeaseSQL.save)
    selectDurations = try prepare(DurationSQL.select)
    addDurations = try prepare(DurationSQL.add)
    selectClock = try prepare(ClockSQL.select)
    saveClock = try prepare(ClockSQL.save)
    selectOpenDeadlines = try prepare(ClockSQL.selectOpenDeadlines)
    moveDeadlines = try prepare(ClockSQL.moveDeadlines)
    moveLeases = try prepare(ClockSQL.moveLeases)
    pageCount = try prepare(
      "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    )
  }
}
