internal import JSON
internal import RenderModel
internal import RenderStore

/// One subscription: a filter, and a cursor into the log.
final class Subscription {
  /// How far the host has been told.
  enum Progress {
    /// As far as the feed; changes come as they happen, those up to `since` excepted.
    case live(since: Int64)
    /// Up to this number; how the rest is told is still to be decided.
    case behind(after: Int64)
    /// Change by change through this stretch.
    case replaying(LogRange)
    case folding(Fold)
  }

  /// A stretch of which each render's newest change is told.
  struct Fold {
    let range: LogRange
    /// What has not been looked at.
    var unseen: LogRange
    /// Found and not told yet, the next one last.
    var found: [FoldedChange]
  }

  let number: Int
  let name: String
  let ids: Set<ExactText>?
  let states: Set<State>?
  let filter: ChangeFilter
  var progress: Progress
  /// The renders that are not in a terminal state, where the subscription ends when none is left.
  var unfinished: Set<ExactText>?
  /// `unfinished` holds for the log up to here.
  var judgedUpTo: Int64
  /// The change after which the subscription ends.
  var endsAfter: Int64?

  init(
    number: Int,
    name: String,
    ids: Set<ExactText>?,
    states: Set<State>?,
    progress: Progress,
    unfinished: Set<ExactText>?,
    judgedUpTo: Int64
  ) {
    self.number = number
    self.name = name
    self.ids = ids
    self.states = states
    filter = ChangeFilter(ids: ids.map { $0.map(\.text) }, states: states.map(Array.init))
    self.progress = progress
    self.unfinished = unfinished
    self.judgedUpTo = judgedUpTo
    endsAfter = unfinished?.isEmpty == true ? judgedUpTo : nil
  }

  /// Whether a change in this state is one to tell of; its id matches already.
  func wants(_ state: State) -> Bool {
    states?.contains(state) ?? true
  }

  /// Takes note of a change of one of its ids, for the end at the terminal states.
  func judge(_ id: ExactText, _ state: State, at seq: Int64) {
    guard unfinished != nil, endsAfter == nil, seq > judgedUpTo else { return }
    judgedUpTo = seq
    if state.isTerminal { unfinished?.remove(id) } else { unfinished?.insert(id) }
    if unfinished?.isEmpty == true { endsAfter = seq }
  }
}
