extension Schema {
  /// How the clock on the wall was set when the last group was written.
  ///
  /// What is stored for later (renders.started_at and deadline_at, leases.expires_at) is meant by that. One row, or
  /// none yet.
  static let clock = """
    CREATE TABLE clock (
      only INTEGER PRIMARY KEY CHECK (only = 1),
      -- Which start of the machine, and the milliseconds between it and the beginning of 1970.
      boot TEXT NOT NULL,
      setting INTEGER NOT NULL
    ) STRICT;

    """
}
