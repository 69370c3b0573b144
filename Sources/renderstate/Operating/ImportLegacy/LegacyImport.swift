internal import JSON
internal import RenderModel
internal import RenderProtocol
internal import RenderStore
internal import Sidecar

/// Takes rows of an old table over by the transitions that their renders would have made.
///
/// Each transition has an idempotency key of its own and expects the version that the one before left
/// behind. So a row that was taken over is not taken over again; one that has gone on since is
/// followed, as long as nothing but this import has changed its render; and a render that anybody
/// else has started or changed stays as it is, whatever the old table says.
struct LegacyImport: Sendable {
  let columns: LegacyTable.Columns
  /// The `timeouts` of the starts.
  let timeouts: JSONObject
  /// Whether everything is taken back at once.
  let isRehearsal: Bool

  /// What came of a row.
  enum Outcome: Sendable {
    case taken(changes: Int64)
    /// The store says the same already.
    case present
    /// The store says something else.
    case kept(reason: String)
    /// The old table knows of no render: its status, cut; nil where it has none.
    case withoutRender(status: String?)
    case withoutVideo
    case refused(reason: String)
  }

  struct Result: Sendable {
    /// nil where the row has none that can be told.
    let id: String?
    /// How many rows have the id.
    let rows: Int64
    let outcome: Outcome
  }

  /// Takes the rows over in one commit, which is durable when this returns.
  func carryOut(
    _ rows: [LegacyTable.Row],
    on store: RenderStore,
    by clock: any Clock
  ) throws(StoreError) -> [Result] {
    let plans = rows.map(plan)
    func apply(_ transaction: inout WriteTransaction) throws(StoreError) -> [Result] {
      var results: [Result] = []
      for (row, plan) in zip(rows, plans) {
        let outcome: Outcome
        switch plan {
        case .failure(let settled): outcome = settled.outcome
        case .success(let plan):
          outcome = try carryOut(plan, in: &transaction, of: store, by: clock)
        }
        results.append(
          Result(id: try? name(row.id, columns.id), rows: Int64(row.copies), outcome: outcome)
        )
      }
      return results
    }
    return isRehearsal ? try store.rehearse(apply) : try store.write(apply)
  }

  // MARK: - From a row to transitions

  /// A row of which nothing is to be done.
  fileprivate struct Settled: Error {
    let outcome: Outcome

    static func refused(_ reason: String) -> Settled { Settled(outcome: .refused(reason: reason)) }
  }

  fileprivate struct Plan {
    let id: String
    let state: State
    let renderID: String?
    let videoURL: String?
    var steps: [(event: Event, context: JSONObject)]
  }

  private func plan(_ row: LegacyTable.Row) -> Swift.Result<Plan, Settled> {
    Swift.Result { () throws(Settled) in try makePlan(row) }
  }

  private func makePlan(_ row: LegacyTable.Row) throws(Settled) -> Plan {
    guard let id = try name(row.id, columns.id) else { throw .refused("there is no \(columns.id)") }
    guard row.copies == 1 else { throw .refused("\(row.copies) rows have this \(columns.id)") }
    let renderID = try name(row.renderID, columns.renderID)
    let state = State(processingStatus: row.status.word, hasRenderID: renderID != nil)
    let videoURL = try name(row.videoURL, columns.videoURL)
    switch state {
    case .idle: throw Settled(outcome: .withoutRender(status: row.status.word?.cut(to: 40)))
    // The old column says completed also where there was never a video.
    case .completed where videoURL == nil && columns.videoURL != nil:
      throw Settled(outcome: .withoutVideo)
    default: break
    }

    var plan = Plan(
      id: id,
      state: state,
      renderID: renderID,
      videoURL: videoURL,
      steps: [(.start, JSONObject())]
    )
    if renderID != nil || state == .completed {
      let context = JSONObject([
        "renderId": renderID.map(JSON.string),
        "bucketName": try name(row.bucketName, columns.bucketName).map(JSON.string),
        "progress": try progress(row.progress),
      ])
      plan.steps.append((.progress, context))
    }
    switch state {
    case .completed:
      plan.steps.append((.complete, JSONObject(["videoUrl": videoURL.map(JSON.string)])))
    case .failed:
      let error = try name(row.error, columns.error)
      plan.steps.append((.fail, JSONObject(["error": error.map(JSON.string)])))
    case .idle, .queued, .rendering: break
    }
    // What cannot be taken is refused before anything is done.
    for (event, context) in plan.steps { _ = try transition(id, event, context, version: 0) }
    return plan
  }

  private func transition(
    _ id: String,
    _ event: Event,
    _ context: JSONObject,
    version: Int64
  ) throws(Settled) -> LoneTransition {
    do throws(InvalidParams) {
      return try LoneTransition(
        transition: JSONObject([
          "id": .string(id), "event": .string(event.rawValue), "context": .object(context),
          "expectedVersion": .integer(version),
          "idempotencyKey": .string("import-legacy \(event.rawValue)"),
          "actor": .string(CommandActor.name),
          "timeouts": event == .start ? .object(timeouts) : nil,
        ])
      )
    } catch {
      throw .refused("\(column(of: error.path)): \(error.reason)")
    }
  }

  /// The column that a param was read from.
  private func column(of path: String) -> String {
    let column: String? =
      switch path {
      case "params.id": columns.id
      case "params.context.renderId": columns.renderID
      case "params.context.bucketName": columns.bucketName
      case "params.context.videoUrl": columns.videoURL
      case "params.context.progress": columns.progress
      default: nil
      }
    return column ?? path
  }

  // MARK: - From transitions to the store

  private func carryOut(
    _ plan: Plan,
    in transaction: inout WriteTransaction,
    of store: RenderStore,
    by clock: any Clock
  ) throws(StoreError) -> Outcome {
    // What was pruned was taken over once, and is not wanted any more.
    if try store.render(plan.id).state == .idle, try store.prunedVersion(of: plan.id) > 0 {
      return .kept(reason: "pruned in the store, \(plan.text) in the table")
    }
    var changes: Int64 = 0
    var version: Int64 = 0
    for (event, context) in plan.steps {
      let step: LoneTransition
      do throws(Settled) {
        step = try transition(plan.id, event, context, version: version)
      } catch {
        return error.outcome
      }
      guard case .success(let answer) = try step.carryOut(in: &transaction, by: clock) else {
        break
      }
      version = answer.version
      if !answer.isReplayed { changes += 1 }
    }
    guard changes == 0 else { return .taken(changes: changes) }
    let render = try store.render(plan.id)
    return plan.agrees(with: render) ? .present : .kept(reason: plan.difference(from: render))
  }

  // MARK: - Values

  /// A text, or a number that stands for one; an empty one is none.
  private func name(_ value: SQLValue, _ column: String?) throws(Settled) -> String? {
    switch value {
    case .null: return nil
    case .text(let text): return text.isEmpty ? nil : text
    case .integer(let number): return "\(number)"
    case .real, .bytes:
      throw .refused("\(column ?? ""): it must be a text in UTF-8 or a whole number")
    }
  }

  private func progress(_ value: SQLValue) throws(Settled) -> JSON? {
    switch value {
    case .null, .text(""): return nil
    case .integer(let number): return .integer(number)
    case .real(let number): return .number(number)
    case .text(let text):
      if let number = Double(text) { return .number(number) }
    case .bytes: break
    }
    throw .refused("\(columns.progress ?? ""): it must be a number from 0 to 100")
  }
}

extension LegacyImport.Plan {
  func agrees(with render: Render) -> Bool {
    func isSame(_ old: String?, _ stored: String?) -> Bool {
      guard let old else { return true }
      return stored?.hasSameBytes(as: old) == true
    }
    return render.state == state && isSame(renderID, render.renderID)
      && (state != .completed || isSame(videoURL, render.videoURL))
  }

  /// What the table says, for people.
  var text: String { Self.text(state, renderID: renderID, videoURL: videoURL) }

  func difference(from render: Render) -> String {
    let stored = Self.text(render.state, renderID: render.renderID, videoURL: render.videoURL)
    return "\(stored) in the store, \(text) in the table"
  }

  private static func text(_ state: State, renderID: String?, videoURL: String?) -> String {
    let detail = state == .completed ? videoURL : renderID
    return state.rawValue + (detail.map { " (\($0))" } ?? "")
  }
}

extension SQLValue {
  /// How a status is called; nil for NULL.
  fileprivate var word: String? {
    switch self {
    case .null: nil
    case .integer(let number): "\(number)"
    case .real(let number): "\(number)"
    case .text(let text): text.isEmpty ? nil : text
    case .bytes: "bytes"
    }
  }
}
