extension Schema {
  /// What is kept of that which was pruned, for promises that hold on.
  ///
  /// A version never comes twice, and who resumes where something is missing is told so. The renderIds
  /// of a render stay in `render_ids`.
  ///
  /// Only this program deletes from the log, past the triggers: see `Pruning`.
  static let pruning = """
    -- The newest of the changes that were pruned between this one and the one in previous_seq.
    ALTER TABLE transitions ADD COLUMN pruned_seq INTEGER;

    -- The ids whose render was pruned, also those that were started again.
    CREATE TABLE pruned_renders (
      id TEXT PRIMARY KEY,
      -- The last one there was: the next start counts on from here.
      version INTEGER NOT NULL,
      -- The newest change to each state that was pruned.
      queued_seq INTEGER NOT NULL DEFAULT 0,
      rendering_seq INTEGER NOT NULL DEFAULT 0,
      completed_seq INTEGER NOT NULL DEFAULT 0,
      failed_seq INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;

    -- The same of all renders together, and how far pruning has come; one row.
    CREATE TABLE pruned (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      -- Of the progress right before a change up to this one, none is left.
      searched_seq INTEGER NOT NULL DEFAULT 0,
      -- The newest change that is still there of a render that is not; 0 if there is none.
      left_seq INTEGER NOT NULL DEFAULT 0,
      -- How many changes were pruned.
      changes INTEGER NOT NULL DEFAULT 0,
      queued_seq INTEGER NOT NULL DEFAULT 0,
      rendering_seq INTEGER NOT NULL DEFAULT 0,
      completed_seq INTEGER NOT NULL DEFAULT 0,
      failed_seq INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    INSERT INTO pruned (one) VALUES (1);

    """

  /// The version with which an id begins, as an expression: 1, or the next one of a render that was
  /// pruned.
  static func firstVersion(of id: String) -> String {
    "ifnull((SELECT version FROM pruned_renders WHERE id = \(id)), 0) + 1"
  }
}
