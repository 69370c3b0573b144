// PostgreSQL over its Unix socket by node-pg: an optimistic UPDATE and the row of the log in one statement.
//
//   node peers/postgres.mjs SOCKET_FOLDER IN_FLIGHT COUNT
import { createRequire } from 'node:module'
import { attemptAt, load, stateBefore } from './load.mjs'
import { RENDERS, idOf } from '../events.mjs'

const { Pool } = createRequire(import.meta.url)('pg')
const [host, inFlight, count] = process.argv.slice(2)
const pool = new Pool({ host, user: 'bench', database: 'postgres', max: Number(inFlight) })

await pool.query(`
  DROP TABLE IF EXISTS renders, transitions;
  CREATE TABLE renders (
    id text PRIMARY KEY, state text NOT NULL, progress float8 NOT NULL, render_id text, bucket_name text, video_url text,
    error text, metadata jsonb NOT NULL, run int NOT NULL, attempt int NOT NULL, version int NOT NULL, event text,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, started_at timestamptz NOT NULL
  );
  CREATE TABLE transitions (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL, event text NOT NULL, previous_state text NOT NULL,
    state text NOT NULL, progress float8 NOT NULL, render_id text, error text, run int NOT NULL, attempt int NOT NULL,
    version int NOT NULL, actor text, at timestamptz NOT NULL
  );`)
await pool.query(
  `INSERT INTO renders SELECT id, 'idle', 0, NULL, NULL, NULL, NULL, '{}', 1, 0, 0, NULL, now(), now(), now()
    FROM unnest($1::text[]) AS id`,
  [Array.from({ length: RENDERS }, (_, n) => idOf(n))]
)

const text = `
  WITH changed AS (
    UPDATE renders SET state = $4, progress = $5, render_id = $6, error = $7, attempt = $8, version = version + 1,
      event = $9, updated_at = now()
    WHERE id = $1 AND version = $2 AND state = $3
    RETURNING *
  )
  INSERT INTO transitions (id, event, previous_state, state, progress, render_id, error, run, attempt, version, actor, at)
  SELECT id, event, $3, state, progress, render_id, error, run, attempt, version, 'host', updated_at FROM changed
  RETURNING seq, version`

const change = async (id, { event, state, context }, step) => {
  const { progress = 0, renderId = null, error = null } = context ?? {}
  const values = [id, step, stateBefore(id, step), state, progress, renderId, error, attemptAt(step), event]
  const { rowCount } = await pool.query({ name: 'change', text, values })
  if (rowCount !== 1) throw new Error('somebody was faster')
}
console.log(JSON.stringify(await load(change, { inFlight: Number(inFlight), count: Number(count) })))
await pool.end()
