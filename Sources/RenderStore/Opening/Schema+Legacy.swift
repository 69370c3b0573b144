extension Schema {
  /// The renders as the table of an application had them, for its old SQL.
  ///
  /// What is written to the view becomes events of the machine, by the ordinary triggers of `renders`;
  /// what the machine does not know is aborted with the reason. So old SQL and the sidecars are in one
  /// log, with actor sql. A value that stays as it was says nothing; neither does the progress where an
  /// attempt ends, nor updated_at ever: the time of a change is the clock's.
  ///
  /// The reasons come first and the events after them: OR IGNORE and OR REPLACE reach into the
  /// statements of a trigger, but do not get past RAISE.
  static let legacy = """
    CREATE VIEW legacy_renders AS
      SELECT id,
        CASE state WHEN 'completed' THEN 'completed' WHEN 'failed' THEN 'failed'
          ELSE 'generating_video' END AS processing_status,
        render_id AS video_render_id,
        bucket_name AS video_bucket_name,
        video_url,
        error AS processing_error,
        progress AS processing_progress,
        strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated_at
      FROM renders;

    CREATE TRIGGER legacy_renders_insert INSTEAD OF INSERT ON legacy_renders BEGIN
      SELECT CASE
        WHEN typeof(NEW.id) <> 'integer' AND NOT \(isText("id", bytes: 200)) THEN
          RAISE (ABORT, 'id must be a text of 1 to 200 bytes without control characters')
        WHEN EXISTS (SELECT 1 FROM renders WHERE id = NEW.id) THEN
          RAISE (ABORT, 'this id has a row already: update it')
        WHEN NEW.processing_status IS NOT 'generating_video' THEN
          RAISE (ABORT, 'a row begins with processing_status ''generating_video''; for rows that \
    have ended there is renderstate import-legacy')
      END;
      INSERT INTO renders (id, state, event, progress, metadata, run, attempt, version, seq,
        created_at, updated_at, started_at)
      SELECT NEW.id, 'queued', 'start', 0, '{}', 1, 1, \(firstVersion(of: "NEW.id")),
        ifnull(max(seq), 0) + 1, \(now), \(now), \(now) FROM transitions;
      -- The rest of the row is what is known of it next.
      UPDATE legacy_renders SET video_render_id = NEW.video_render_id,
        video_bucket_name = NEW.video_bucket_name, video_url = NEW.video_url,
        processing_error = NEW.processing_error,
        processing_progress = ifnull(NEW.processing_progress, 0)
        WHERE id = NEW.id;
    END;

    CREATE TRIGGER legacy_renders_update INSTEAD OF UPDATE ON legacy_renders BEGIN
      SELECT CASE
        WHEN NEW.id IS NOT OLD.id THEN
          RAISE (ABORT, 'id stays')
        WHEN NEW.processing_status IS NULL OR NOT (NEW.processing_status = 'generating_video'
          OR NEW.processing_status = 'completed' OR NEW.processing_status = 'failed') THEN
          RAISE (ABORT, 'processing_status must be ''generating_video'', ''completed'' or ''failed''')
        WHEN \(isGiven("video_render_id")) AND NOT \(isText("video_render_id", bytes: 200)) THEN
          RAISE (ABORT, 'video_render_id must be a text of 1 to 200 bytes without control characters')
        WHEN \(isGiven("video_bucket_name")) AND NOT \(isText("video_bucket_name", bytes: 200)) THEN
          RAISE (ABORT, 'video_bucket_name must be a text of 1 to 200 bytes without control characters')
        WHEN \(isGiven("video_url")) AND NOT \(isText("video_url", bytes: 2_048)) THEN
          RAISE (ABORT, 'video_url must be a text of 1 to 2048 bytes without control characters')
        WHEN \(isGiven("processing_error")) AND typeof(NEW.processing_error) <> 'text' THEN
          RAISE (ABORT, 'processing_error must be a text')
        WHEN \(isGiven("processing_progress"))
          AND NOT (typeof(NEW.processing_progress) IN ('integer', 'real')
            AND NEW.processing_progress BETWEEN 0 AND 100) THEN
          RAISE (ABORT, 'processing_progress must be a number from 0 to 100')

        WHEN OLD.processing_status = 'completed' AND NEW.processing_status <> 'generating_video'
          AND (\(columns("NEW"))) IS NOT (\(columns("OLD"))) THEN
          RAISE (ABORT, 'a completed run is not edited: processing_status = ''generating_video'' \
    begins the next one')
        WHEN OLD.processing_status = 'failed' AND NEW.processing_status <> 'generating_video'
          AND (\(columns("NEW"))) IS NOT (\(columns("OLD"))) THEN
          RAISE (ABORT, 'a failed attempt is not edited: processing_status = ''generating_video'' \
    starts the next one')
        WHEN NEW.processing_status = 'generating_video' AND NOT \(starts) AND (
          NEW.video_render_id IS NULL AND OLD.video_render_id IS NOT NULL
          OR NEW.video_bucket_name IS NULL AND OLD.video_bucket_name IS NOT NULL
          OR NEW.processing_progress IS NULL
        ) THEN
          RAISE (ABORT, 'video_render_id, video_bucket_name and processing_progress are not taken \
    back while an attempt is under way')
        WHEN \(isGiven("video_url")) AND (\(starts) OR NEW.processing_status = 'failed') THEN
          RAISE (ABORT, 'video_url goes with processing_status ''completed'' only')
        WHEN \(isGiven("processing_error")) AND NEW.processing_status <> 'failed' THEN
          RAISE (ABORT, 'processing_error goes with processing_status ''failed'' only')
        WHEN \(completes) AND (SELECT state FROM renders WHERE id = OLD.id) = 'queued' THEN
          RAISE (ABORT, 'a queued render does not complete: set video_render_id first, with which \
    it is rendering')
        WHEN \(isGiven("video_render_id")) AND (
          OLD.video_render_id IS NOT NULL AND NOT \(starts)
          OR EXISTS (SELECT 1 FROM render_ids
            WHERE id = OLD.id AND render_id = NEW.video_render_id)
        ) THEN
          RAISE (ABORT, 'this video_render_id is of another attempt')
      END;

      UPDATE renders SET state = 'queued', event = 'start', version = version + 1, progress = 0,
        error = NULL, video_url = NULL, render_id = NULL, bucket_name = NULL,
        run = run + (state = 'completed'), attempt = iif(state = 'completed', 1, attempt + 1)
        WHERE id = OLD.id AND \(starts);

      UPDATE renders SET state = 'rendering', event = 'progress', version = version + 1,
        progress = max(progress, iif(\(isGiven("processing_progress")), NEW.processing_progress, 0)),
        \(names)
        WHERE id = OLD.id AND NEW.processing_status = 'generating_video' AND NOT \(completes) AND (
          \(isGiven("video_render_id")) OR \(isGiven("video_bucket_name"))
          OR \(isGiven("processing_progress")) AND NOT (\(starts) AND NEW.processing_progress = 0)
        );

      UPDATE renders SET state = 'completed', event = 'complete', version = version + 1,
        progress = 100, video_url = NEW.video_url, \(names)
        WHERE id = OLD.id AND \(completes);

      UPDATE renders SET state = 'failed', event = 'fail', version = version + 1,
        error = CASE
          WHEN NEW.processing_error IS NULL THEN 'Render failed'
          -- No character has more than four bytes.
          WHEN length(CAST(NEW.processing_error AS BLOB)) > 8192 THEN
            substr(NEW.processing_error, 1, 2047) || '…'
          ELSE NEW.processing_error
        END,
        \(names)
        WHERE id = OLD.id AND OLD.processing_status = 'generating_video'
          AND NEW.processing_status = 'failed';
    END;

    CREATE TRIGGER legacy_renders_delete INSTEAD OF DELETE ON legacy_renders BEGIN
      SELECT RAISE (ABORT, 'renders are not deleted');
    END;

    """

  // MARK: - Conditions

  private static let starts = """
    (OLD.processing_status <> 'generating_video' AND NEW.processing_status = 'generating_video')
    """

  /// A video completes what was not completed, whatever the status still says.
  private static let completes = """
    (OLD.processing_status = 'generating_video' AND (NEW.processing_status = 'completed'
      OR NEW.processing_status = 'generating_video' AND NEW.video_url IS NOT NULL))
    """

  private static func isGiven(_ column: String) -> String {
    "(NEW.\(column) IS NOT NULL AND NEW.\(column) IS NOT OLD.\(column))"
  }

  private static func isText(_ column: String, bytes: Int) -> String {
    """
    (typeof(NEW.\(column)) = 'text' AND length(CAST(NEW.\(column) AS BLOB)) BETWEEN 1 AND \(bytes)
          AND instr(NEW.\(column), char(0)) = 0 AND NEW.\(column) NOT GLOB
            '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*')
    """
  }

  private static func columns(_ row: String) -> String {
    ["status", "error", "progress"].map { "\(row).processing_\($0)" }.joined(separator: ", ")
      + ", "
      + ["render_id", "bucket_name", "url"].map { "\(row).video_\($0)" }.joined(separator: ", ")
  }

  // MARK: - Values

  private static let names = """
    render_id = iif(\(isGiven("video_render_id")), NEW.video_render_id, render_id),
        bucket_name = iif(\(isGiven("video_bucket_name")), NEW.video_bucket_name, bucket_name)
    """
}
