extension Schema {
  /// What a change by hand may not do although it goes along the table.
  ///
  /// That is what a request is refused for, too, and what only the log or a sidecar sets. `triggers` has
  /// the table itself.
  ///
  /// All of it is said with RAISE, because OR IGNORE and OR REPLACE get past the keys and checks of
  /// the tables, also within a trigger.
  static let guards = """
    CREATE TRIGGER renders_guard_begin BEFORE INSERT ON renders WHEN NEW.event = 'start' BEGIN
      SELECT CASE
        WHEN NEW.progress <> 0 THEN
          RAISE (ABORT, 'a render begins with progress 0')
        WHEN NEW.metadata <> '{}' THEN
          RAISE (ABORT, 'metadata begins as {}: only a sidecar merges it')
        WHEN NEW.created_at <> NEW.updated_at OR NEW.started_at <> NEW.updated_at
          OR NEW.updated_at < 0 OR NEW.updated_at > \(now) THEN
          RAISE (ABORT, 'created_at, updated_at and started_at are one time, in milliseconds since \
    1970, and not in the future')
        WHEN \(isNoText("id", bytes: 200)) THEN
          RAISE (ABORT, 'id must have 1 to 200 bytes of UTF-8 and no control characters')
        WHEN EXISTS (SELECT 1 FROM render_ids WHERE id = NEW.id AND render_id = NEW.render_id) THEN
          RAISE (ABORT, 'this render_id belongs to another attempt')
        \(textsAndClocks)
      END;
    END;

    CREATE TRIGGER renders_guard_row AFTER INSERT ON renders
    WHEN NEW.row > 1 AND NOT EXISTS (SELECT 1 FROM renders WHERE row = NEW.row - 1) BEGIN
      SELECT RAISE (ABORT, 'row is given by the table: leave it out');
    END;

    CREATE TRIGGER renders_guard_change BEFORE UPDATE ON renders
    WHEN NEW.version = OLD.version + 1 BEGIN
      SELECT CASE
        WHEN NEW.metadata <> OLD.metadata THEN
          RAISE (ABORT, 'metadata stays: only a sidecar merges it')
        WHEN NEW.event <> 'start' AND (NEW.queued_ms IS NOT OLD.queued_ms
          OR NEW.stall_ms IS NOT OLD.stall_ms OR NEW.total_ms IS NOT OLD.total_ms) THEN
          RAISE (ABORT, 'queued_ms, stall_ms and total_ms are set by a start only')
        WHEN NEW.progress <> OLD.progress AND (NEW.event = 'fail' OR NEW.event = 'cancel') THEN
          RAISE (ABORT, 'progress stays with the events fail and cancel')
        WHEN NEW.event <> 'start' AND OLD.render_id IS NOT NULL
          AND NEW.render_id IS NOT OLD.render_id THEN
          RAISE (ABORT, 'render_id stays as long as the attempt')
        WHEN NEW.event <> 'start' AND OLD.bucket_name IS NOT NULL AND NEW.bucket_name IS NULL THEN
          RAISE (ABORT, 'bucket_name is not taken back as long as the attempt lasts')
        WHEN NEW.render_id IS NOT OLD.render_id AND EXISTS (
          SELECT 1 FROM render_ids WHERE id = OLD.id AND render_id = NEW.render_id
        ) THEN
          RAISE (ABORT, 'this render_id belongs to another attempt')
        \(textsAndClocks)
      END;
    END;

    CREATE TRIGGER render_ids_append BEFORE INSERT ON render_ids
    WHEN NOT EXISTS (SELECT 1 FROM renders WHERE id = NEW.id AND render_id = NEW.render_id) BEGIN
      SELECT RAISE (ABORT, 'render_ids is kept by the changes of renders');
    END;

    CREATE TRIGGER render_ids_no_edit BEFORE UPDATE ON render_ids BEGIN
      SELECT RAISE (ABORT, 'render_ids is not edited');
    END;

    CREATE TRIGGER render_ids_no_delete BEFORE DELETE ON render_ids BEGIN
      SELECT RAISE (ABORT, 'nothing is deleted from render_ids: an old report could not be told');
    END;

    CREATE TRIGGER leases_begin BEFORE INSERT ON leases BEGIN
      SELECT CASE
        WHEN EXISTS (SELECT 1 FROM leases WHERE name = NEW.name) THEN
          RAISE (ABORT, 'there is a lease of this name already: update it')
        WHEN NEW.token <> 1 THEN
          RAISE (ABORT, 'the first token of a lease is 1')
        WHEN \(isNoText("name", bytes: 200)) THEN
          RAISE (ABORT, 'name must have 1 to 200 bytes of UTF-8 and no control characters')
        WHEN \(isNoText("holder", bytes: 200)) THEN
          RAISE (ABORT, 'holder must have 1 to 200 bytes of UTF-8 and no control characters')
      END;
    END;

    CREATE TRIGGER leases_change BEFORE UPDATE ON leases BEGIN
      SELECT CASE
        WHEN NEW.name <> OLD.name THEN
          RAISE (ABORT, 'the name of a lease stays')
        WHEN NEW.token <> OLD.token AND NEW.token <> OLD.token + 1 THEN
          RAISE (ABORT, 'token stays, or grows by one')
        WHEN NEW.holder <> OLD.holder AND NEW.token = OLD.token THEN
          RAISE (ABORT, 'another holder takes the next token')
        WHEN \(isNoText("holder", bytes: 200)) THEN
          RAISE (ABORT, 'holder must have 1 to 200 bytes of UTF-8 and no control characters')
      END;
    END;

    CREATE TRIGGER leases_no_delete BEFORE DELETE ON leases BEGIN
      SELECT RAISE (ABORT, 'a lease is not deleted, its tokens count on: set expires_at to 0');
    END;

    \(ownTables)
    """

  /// Tables that nobody else has any business in: deadlines, versions and gaps hang on them.
  private static let ownTables = ["clock", "pruned", "pruned_renders"].flatMap { table in
    ["INSERT", "UPDATE", "DELETE"].map { change in
      """
      CREATE TRIGGER \(table)_no_\(change.lowercased()) BEFORE \(change) ON \(table) BEGIN
        SELECT RAISE (ABORT, '\(table) is kept by renderstate itself');
      END;

      """
    }
  }
  .joined()

  /// What takes the triggers of version 2 away.
  static let droppingTriggers = [
    "renders_begin", "renders_change", "renders_stamp", "renders_keep", "renders_first_log",
    "renders_log", "transitions_append", "transitions_no_edit", "transitions_no_delete",
  ]
  .map { "DROP TRIGGER \($0);\n" }.joined()

  /// Whether the row that is updated is as the log has it: in the statements that log a change it is
  /// not, and those do what nobody else may.
  static let isLogged = """
    EXISTS (SELECT 1 FROM transitions WHERE seq = OLD.seq AND id = OLD.id AND version = OLD.version)
    """

  /// The clock's time in milliseconds since 1970.
  static let now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

  /// The longest time of a clock: 366 days, in milliseconds.
  private static let longestTime = 31_622_400_000

  private static let textsAndClocks: String = {
    let texts = [("render_id", 200), ("bucket_name", 200), ("actor", 200), ("video_url", 2_048)].map
    {
      """
      WHEN \(isNoText($0, bytes: $1)) THEN
            RAISE (ABORT, '\($0) must have 1 to \($1) bytes of UTF-8 and no control characters')
      """
    }
    let clocks = ["queued_ms", "stall_ms", "total_ms"].map {
      """
      WHEN NEW.\($0) NOT BETWEEN 1 AND \(longestTime) THEN
            RAISE (ABORT, '\($0) must be NULL, or from 1 to \(longestTime)')
      """
    }
    let error = """
      WHEN length(CAST(NEW.error AS BLOB)) > 8192 OR \(isNotUTF8("error")) THEN
            RAISE (ABORT, 'error must have at most 8192 bytes, in UTF-8')
      """
    return (texts + clocks + [error]).joined(separator: "\n    ")
  }()

  /// Whether a text is there and not as the contract wants it.
  ///
  /// A NUL ends a text for GLOB. Bytes that are no UTF-8 are so seen: `unicode` makes another character
  /// of them.
  private static func isNoText(_ column: String, bytes: Int) -> String {
    """
    length(CAST(NEW.\(column) AS BLOB)) NOT BETWEEN 1 AND \(bytes)
          OR instr(NEW.\(column), char(0)) OR NEW.\(column) GLOB
            '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'
          OR \(isNotUTF8(column))
    """
  }

  private static func isNotUTF8(_ column: String) -> String {
    """
    EXISTS (
            WITH RECURSIVE place (at) AS (
              SELECT 1 UNION ALL SELECT at + 1 FROM place WHERE at < length(NEW.\(column))
            )
            SELECT 1 FROM place WHERE at <= length(NEW.\(column))
              AND char(unicode(substr(NEW.\(column), at, 1))) <> substr(NEW.\(column), at, 1)
          )
    """
  }
}
