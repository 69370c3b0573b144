// What a route would do without a sidecar: node:sqlite in its own process, one durable commit for each transition.
//
//   node peers/node-sqlite.mjs DATABASE COUNT
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { load } from './load.mjs'

const [path, count] = process.argv.slice(2)
const database = new DatabaseSync(path)
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
database.exec(readFileSync(new URL('tables.sql', import.meta.url), 'utf8'))

const begin = database.prepare('BEGIN IMMEDIATE')
const commit = database.prepare('COMMIT')
const find = database.prepare('SELECT row, state, progress, render_id, run, attempt, version FROM renders WHERE id = ?')
const insert = database.prepare(`INSERT INTO renders (id, state, progress, metadata, run, attempt, version, seq, created_at,
  updated_at, started_at, event) VALUES (?1, 'queued', 0, '{}', 1, 1, 1, ?2, ?3, ?3, ?3, 'start')`)
const update = database.prepare(`UPDATE renders SET state = ?3, progress = ?4, render_id = ?5, error = ?6, attempt = ?7,
  version = version + 1, seq = ?8, updated_at = ?9, event = ?10 WHERE row = ?1 AND version = ?2`)
const log = database.prepare(`INSERT INTO transitions VALUES
  (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL, ?8, NULL, 1, ?9, ?10, 'host', ?11, ?3, NULL)`)
const allowed = { start: ['failed'], progress: ['queued', 'rendering'], fail: ['queued', 'rendering'] }
let seq = 0

function change(id, { event, state, context }) {
  const now = Date.now()
  begin.run()
  const row = find.get(id)
  const attempt = row ? row.attempt + (event === 'start' ? 1 : 0) : 1
  const progress = event === 'start' ? 0 : Math.max(row.progress, context.progress ?? 0)
  const renderId = event === 'start' ? null : (context.renderId ?? row.render_id)
  const error = context?.error ?? null
  seq += 1
  if (!row) {
    insert.run(id, seq, now)
  } else {
    if (!allowed[event].includes(row.state)) throw new Error(`${event} of a render that is ${row.state}`)
    const { changes } = update.run(row.row, row.version, state, progress, renderId, error, attempt, seq, now, event)
    if (changes !== 1) throw new Error('somebody was faster')
  }
  log.run(seq, id, event, row?.state ?? 'idle', state, progress, renderId, error, attempt, (row?.version ?? 0) + 1, now)
  commit.run()
}

console.log(JSON.stringify(await load(change, { inFlight: 1, count: Number(count) })))
database.close()
