/// The schema, and how older ones become it.
///
/// The store defends itself: whoever writes to it, with a SQL shell or an old script, keeps to the
/// machine's table, and every change lands in the log. A change by hand is
///
///     UPDATE renders SET state = 'failed', event = 'cancel', error = 'by hand',
///       version = version + 1 WHERE id = '…';
///
/// The triggers are for everybody else: the connection of this program goes without them, because it
/// keeps the same rules by `Render.deciding` and writes the log itself. Tests compare the rows in the
/// triggers with `Machine.table`, and send what the program wrote past them.
///
/// Words are compared one by one and not with IN: SQLite builds a table for a list of more than two,
/// at every change.
enum Schema {
  /// "rsta", so that `file` and others can tell the database (sqlite.org/pragma.html).
  static let applicationID: Int64 = 0x7273_7461

  /// The `user_version` of this schema.
  static let version: Int64 = 3

  /// What makes an empty database ours.
  static let creation =
    renders + log + renderIDs + leases + clock + pruning + triggers + guards + durations + legacy

  /// What makes a database of an older version this one's, 0 being an empty one.
  ///
  /// Version 1 had an index of every change in the log instead of a chain, and triggers for our own
  /// changes, which the columns action, idempotency_key and change_metadata of renders were for.
  /// Version 2 let some changes by hand pass that `guards` refuses, could not be pruned, did not count
  /// durations, did not know how the clock was set, and had no view for old SQL.
  static func migration(from version: Int64) -> String? {
    switch version {
    case 0: creation
    case 1: fromVersion1
    case 2: fromVersion2
    default: nil
    }
  }

  private static let fromVersion1 = """
    DROP INDEX renders_by_state;
    DROP INDEX renders_by_deadline;
    DROP INDEX transitions_by_id;
    DROP INDEX transitions_by_key;
    DROP TRIGGER renders_begin;
    DROP TRIGGER renders_change;
    DROP TRIGGER renders_stamp;
    DROP TRIGGER renders_keep;
    DROP TRIGGER renders_first_log;
    DROP TRIGGER renders_log;
    DROP TRIGGER renders_log_by_hand;
    DROP TRIGGER transitions_append;
    DROP TRIGGER transitions_no_edit;
    DROP TRIGGER transitions_no_delete;
    ALTER TABLE renders RENAME TO renders_1;
    ALTER TABLE transitions RENAME TO transitions_1;
    \(renders)\(log)
    INSERT INTO renders
      SELECT row, id, state, progress, render_id, bucket_name, video_url, error, metadata, run,
        attempt, version, seq, created_at, updated_at, started_at, queued_ms, stall_ms, total_ms,
        deadline_at, event, NULL
      FROM renders_1;
    INSERT INTO transitions
      SELECT *, ifnull(lag(seq) OVER (PARTITION BY id ORDER BY seq), 0) FROM transitions_1
      ORDER BY seq;
    DROP TABLE renders_1;
    DROP TABLE transitions_1;
    \(clock)\(pruning)\(triggers)\(guards)\(durations)\(legacy)
    """

  private static let fromVersion2 =
    droppingTriggers + clock + pruning + triggers + guards + durations + legacy

  private static let renders = """
    CREATE TABLE renders (
      row INTEGER PRIMARY KEY CHECK (row > 0),
      id TEXT NOT NULL UNIQUE,
      state TEXT NOT NULL CHECK (
        state = 'rendering' OR state = 'queued' OR state = 'completed' OR state = 'failed'
      ),
      progress REAL NOT NULL CHECK (progress BETWEEN 0 AND 100),
      render_id TEXT,
      bucket_name TEXT,
      video_url TEXT CHECK (video_url IS NULL OR state = 'completed'),
      error TEXT CHECK ((error IS NOT NULL) = (state = 'failed')),
      -- Not json_valid: SQLite 3.40 does not let a schema call it with trusted_schema off.
      metadata TEXT NOT NULL CHECK (substr(metadata, 1, 1) = '{' AND substr(metadata, -1) = '}'),
      run INTEGER NOT NULL,
      attempt INTEGER NOT NULL,
      version INTEGER NOT NULL,
      -- The last change's number in the log.
      seq INTEGER NOT NULL,
      -- Times are milliseconds since 1970, UTC.
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      started_at INTEGER NOT NULL,
      -- The clocks of the attempt in milliseconds, NULL where off, and the first of their deadlines.
      queued_ms INTEGER,
      stall_ms INTEGER,
      total_ms INTEGER,
      deadline_at INTEGER,
      event TEXT NOT NULL CHECK (
        event = 'progress' OR event = 'start' OR event = 'complete' OR event = 'fail'
        OR event = 'cancel'
      ),
      -- Who makes a change by hand may say so here; it goes to the log.
      actor TEXT
    ) STRICT;
    CREATE INDEX renders_by_state ON renders (state, updated_at, seq);
    CREATE INDEX renders_by_deadline ON renders (deadline_at) WHERE deadline_at IS NOT NULL;

    """

  private static let log = """
    CREATE TABLE transitions (
      seq INTEGER PRIMARY KEY,
      id TEXT NOT NULL,
      event TEXT NOT NULL,
      previous_state TEXT NOT NULL,
      state TEXT NOT NULL,
      progress REAL NOT NULL,
      render_id TEXT,
      bucket_name TEXT,
      video_url TEXT,
      error TEXT,
      metadata TEXT,
      run INTEGER NOT NULL,
      attempt INTEGER NOT NULL,
      version INTEGER NOT NULL,
      actor TEXT,
      at INTEGER NOT NULL,
      -- The event, or 'regenerate'; with the key, what a repeated request is compared with.
      action TEXT NOT NULL,
      idempotency_key TEXT,
      -- The change of this render before, 0 if there was none: a render's changes are a chain, from
      -- renders.seq downwards.
      previous_seq INTEGER NOT NULL
    ) STRICT;
    -- Where a long chain can be entered. An index of every change would cost a page of its own for
    -- nearly each of them, to be written at every commit.
    CREATE INDEX transitions_by_id ON transitions (id) WHERE version % 256 = 1;
    -- The key first: a client that counts its keys up writes them all in one place.
    CREATE UNIQUE INDEX transitions_by_key ON transitions (idempotency_key, id)
      WHERE idempotency_key IS NOT NULL;

    """

  private static let renderIDs = """
    -- Every renderId an id ever had, so that a late report of an old attempt can be told.
    CREATE TABLE render_ids (
      id TEXT NOT NULL,
      render_id TEXT NOT NULL,
      PRIMARY KEY (id, render_id)
    ) STRICT, WITHOUT ROWID;

    """

  private static let leases = """
    CREATE TABLE leases (
      name TEXT PRIMARY KEY,
      holder TEXT NOT NULL,
      token INTEGER NOT NULL,
      expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    """

  private static let triggers = """
    CREATE TRIGGER renders_begin BEFORE INSERT ON renders BEGIN
      SELECT CASE
        WHEN NOT (NEW.state = 'queued' AND NEW.event = 'start') THEN
          RAISE (ABORT, 'a render begins with event start, in state queued')
        WHEN NOT (NEW.run = 1 AND NEW.attempt = 1) THEN
          RAISE (ABORT, 'a render begins with run 1, attempt 1, version 1')
        WHEN NEW.version <> \(firstVersion(of: "NEW.id")) THEN
          RAISE (ABORT, 'a render begins with version 1; where it was pruned, with the next one')
        WHEN EXISTS (SELECT 1 FROM renders WHERE id = NEW.id) THEN
          RAISE (ABORT, 'this id has a render already: update it')
        WHEN EXISTS (SELECT 1 FROM renders WHERE row = NEW.row) THEN
          RAISE (ABORT, 'this row has a render already')
      END;
    END;

    CREATE TRIGGER renders_change BEFORE UPDATE ON renders WHEN \(isLogged) BEGIN
      SELECT CASE
        WHEN NEW.version <> OLD.version + 1 THEN
          RAISE (ABORT, 'version must grow by one')
        WHEN NEW.id <> OLD.id OR NEW.row <> OLD.row OR NEW.created_at <> OLD.created_at THEN
          RAISE (ABORT, 'id, row and created_at stay')
        WHEN NEW.seq <> OLD.seq THEN
          RAISE (ABORT, 'seq is given to a change by the log')
        WHEN NEW.updated_at <> OLD.updated_at OR NEW.started_at <> OLD.started_at
          OR NEW.deadline_at IS NOT OLD.deadline_at THEN
          RAISE (ABORT, 'updated_at, started_at and deadline_at are given to a change by the log')
        WHEN NEW.run = OLD.run + 1 THEN CASE
          WHEN NOT (OLD.state IN ('completed', 'failed') AND NEW.state = 'queued'
            AND NEW.event = 'start' AND NEW.attempt = 1) THEN
            RAISE (ABORT, 'a new run begins from completed or failed: queued, start, attempt 1')
          END
        WHEN NEW.run <> OLD.run THEN
          RAISE (ABORT, 'run must stay, or grow by one for a new run')
        WHEN OLD.state = 'completed' THEN
          RAISE (ABORT, 'a finished run is not edited: begin the next one')
        WHEN NOT (
          (OLD.state = 'queued' AND NEW.event = 'progress' AND NEW.state = 'rendering') OR
          (OLD.state = 'queued' AND NEW.event = 'fail' AND NEW.state = 'failed') OR
          (OLD.state = 'queued' AND NEW.event = 'cancel' AND NEW.state = 'failed') OR
          (OLD.state = 'rendering' AND NEW.event = 'progress' AND NEW.state = 'rendering') OR
          (OLD.state = 'rendering' AND NEW.event = 'complete' AND NEW.state = 'completed') OR
          (OLD.state = 'rendering' AND NEW.event = 'fail' AND NEW.state = 'failed') OR
          (OLD.state = 'rendering' AND NEW.event = 'cancel' AND NEW.state = 'failed') OR
          (OLD.state = 'failed' AND NEW.event = 'start' AND NEW.state = 'queued')
        ) THEN
          RAISE (ABORT, 'no such transition: state and event must go along a row of the table')
        WHEN NEW.attempt <> OLD.attempt + (NEW.event = 'start') THEN
          RAISE (ABORT, 'attempt grows by one with start, and stays otherwise')
      END;
    END;

    CREATE TRIGGER renders_keep BEFORE DELETE ON renders BEGIN
      SELECT RAISE (ABORT, 'renders are not deleted');
    END;

    CREATE TRIGGER renders_first_log AFTER INSERT ON renders BEGIN
      UPDATE renders SET actor = NULL, deadline_at = 0 WHERE row = NEW.row;
      INSERT INTO transitions VALUES (
        NEW.seq, NEW.id, NEW.event, 'idle', NEW.state, NEW.progress, NEW.render_id,
        NEW.bucket_name, NEW.video_url, NEW.error, NULL, NEW.run, NEW.attempt, NEW.version,
        ifnull(NEW.actor, 'sql'), NEW.updated_at, NEW.event, NULL, 0, NULL
      );
      INSERT INTO render_ids SELECT NEW.id, NEW.render_id WHERE NEW.render_id IS NOT NULL;
    END;

    CREATE TRIGGER renders_log AFTER UPDATE OF version ON renders BEGIN
      UPDATE renders SET seq = (SELECT max(seq) + 1 FROM transitions),
        updated_at = max(updated_at, \(now)),
        -- What the event does to the fields. A value that stayed was not given with a start.
        progress = CASE event WHEN 'start' THEN 0 WHEN 'complete' THEN 100
          ELSE max(progress, OLD.progress) END,
        render_id = iif(event = 'start' AND render_id IS OLD.render_id, NULL, render_id),
        bucket_name = iif(event = 'start' AND render_id IS OLD.render_id
          AND bucket_name IS OLD.bucket_name, NULL, bucket_name),
        -- 0 is to be worked out, which the watchdog does at once: it is past, whatever the clock says.
        deadline_at = iif(state IN ('queued', 'rendering'), 0, NULL),
        actor = NULL
        WHERE row = NEW.row;
      UPDATE renders SET started_at = updated_at WHERE row = NEW.row AND event = 'start';
      INSERT INTO transitions
        SELECT seq, id, event, iif(run = OLD.run, OLD.state, 'idle'), state, progress, render_id,
          bucket_name, video_url, error, NULL, run, attempt, version, ifnull(NEW.actor, 'sql'),
          updated_at, event, NULL, OLD.seq, NULL
        FROM renders WHERE row = NEW.row;
      INSERT INTO render_ids SELECT NEW.id, NEW.render_id
        WHERE NEW.render_id IS NOT NULL AND NEW.render_id IS NOT OLD.render_id;
    END;

    -- Says itself what the keys of the tables would, because OR REPLACE and OR IGNORE go past those.
    CREATE TRIGGER transitions_append BEFORE INSERT ON transitions BEGIN
      SELECT CASE
        WHEN NEW.seq <> (SELECT ifnull(max(seq), 0) + 1 FROM transitions) THEN
          RAISE (ABORT, 'the log only grows at its end, by one')
        WHEN NOT EXISTS (SELECT 1 FROM renders
          WHERE id = NEW.id AND seq = NEW.seq AND version = NEW.version) THEN
          RAISE (ABORT, 'only a change of a render is logged')
      END;
    END;

    CREATE TRIGGER transitions_no_edit BEFORE UPDATE ON transitions BEGIN
      SELECT RAISE (ABORT, 'the log is not edited');
    END;

    CREATE TRIGGER transitions_no_delete BEFORE DELETE ON transitions BEGIN
      SELECT RAISE (ABORT, 'nothing is deleted from the log');
    END;

    """
}
