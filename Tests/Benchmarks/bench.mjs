// Runs the measurements that are named, or all, and writes the tables. `run` has prepared everything, and calls it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { table } from './figures.mjs'
import { notifications } from './measurements/notifications.mjs'
import { operating } from './measurements/operating.mjs'
import { memory, size, starting } from './measurements/program.mjs'
import { pruning } from './measurements/pruning.mjs'
import { reads, readsPiped } from './measurements/reading.mjs'
import { million, processes, subscriptions } from './measurements/scale.mjs'
import { lone, peers, piped, pipelined } from './measurements/writing.mjs'
import { Sidecar, output, pipeFile } from './sidecar.mjs'

/** How often everything is measured. What is compared is measured in turn, so that both have the same neighbours. */
const ROUNDS = 3

const folder = process.env.BENCH_FOLDER
const path = (file) => fileURLToPath(new URL(file, import.meta.url))
const measurements = {
  piped, pipelined, lone, reads, readsPiped, notifications, processes, million, subscriptions, pruning, operating, starting, memory, size, peers
}
let files = 0

/** What a measurement works with. */
const bench = {
  /** Measures each of them in every round, and resolves to what each came to in the rounds. */
  async rounds(parts) {
    const results = Object.fromEntries(Object.keys(parts).map((name) => [name, []]))
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, part] of Object.entries(parts)) {
        progress(`round ${round + 1} of ${ROUNDS}: ${name}`)
        results[name].push(await part(round))
      }
    }
    return results
  },

  /** Calls it with the path of a new database, and removes that afterwards. */
  async withDatabase(work) {
    const database = join(folder, `${++files}.sqlite`)
    try {
      return await work(database)
    } finally {
      for (const end of ['', '-wal', '-shm', '.lock']) rmSync(database + end, { force: true })
    }
  },

  /** A file beside the databases. */
  file(content) {
    const file = join(folder, `${++files}.jsonl`)
    writeFileSync(file, content)
    return file
  },

  /** What a program of peers/ measured. */
  peer: async (name, ...args) => JSON.parse(await output(process.execPath, [path(`peers/${name}.mjs`), ...args.map(String)])),

  /** What SQLite does in C, on tables with their keys only, or with all indexes of the store. */
  async c(database, transitions, perCommit, schema = ['tables']) {
    const sql = schema.map((name) => path(`peers/${name}.sql`))
    return JSON.parse(await output(process.env.BENCH_SQLITE, [database, String(transitions), String(perCommit), ...sql]))
  },

  /** Pipes transitions in, makes sure that each of them came to the log, and resolves to how many a second it were. */
  async pipeTransitions(database, files, count) {
    const before = logLength(database)
    const seconds = Math.max(...(await Promise.all(files.map((file) => pipeFile(database, file, count / files.length)))))
    const added = logLength(database) - before
    if (added !== count) throw new Error(`${added} transitions came to the log, and should have been ${count}`)
    return count / seconds
  },

  logLength,
  progress
}

function logLength(database) {
  if (!existsSync(database)) return 0
  const file = new DatabaseSync(database, { readOnly: true })
  const { length } = file.prepare('SELECT max(seq) AS length FROM transitions').get()
  file.close()
  return length
}

const begin = performance.now()
function progress(text) {
  process.stderr.write(`${((performance.now() - begin) / 1000).toFixed(0).padStart(5)} s  ${text}\n`)
}

const HEAD = ['what', 'figure', 'compared with', 'ratio', 'has to be', 'aim']
const cells = ({ what, figure, against = '', ratio = '', pass = '', aim = '' }) => [what, figure, against, ratio, pass, aim]

async function heading() {
  const say = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' }).trim()
  const [source, type, disk] = say('df', '--output=source,fstype,size', '-BG', folder).split('\n')[1].trim().split(/\s+/)
  const sidecar = await bench.withDatabase(async (database) => {
    const connection = new Sidecar(database)
    const { server } = await connection.ask('initialize')
    const { store } = await connection.ask('stats')
    await connection.close()
    return `${server.name} ${server.version} on SQLite ${store.sqliteVersion}`
  })
  const versions = [
    sidecar,
    `C on SQLite ${(await bench.withDatabase((database) => bench.c(database, 1, 1))).version}`,
    `Node ${process.versions.node} with SQLite ${process.versions.sqlite}`
  ]
  if (process.env.BENCH_POSTGRES) {
    versions.push(`PostgreSQL ${/[0-9.]+/.exec(say(process.env.BENCH_POSTGRES, '--version'))[0]}`)
    versions.push(`Redis ${/v=([0-9.]+)/.exec(say('redis-server', '--version'))[1]}`)
  }
  const machine = [
    new Date().toISOString().slice(0, 10),
    cpus()[0].model.trim(),
    `${cpus().length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${type} on ${source.replace('/dev/', '')} (${disk})`,
    // What else was going on: 0 is the best.
    `load ${loadavg()[0].toFixed(1)} before the first measurement`
  ]
  return `${machine.join(', ')}.\n${versions.join('; ')}.`
}

/** Measurements that are programs of their own, which print what is to be read. */
const OTHERS = ['viewers']

const known = [...Object.keys(measurements), ...OTHERS.filter((name) => existsSync(path(`${name}.mjs`)))]
const names = process.argv.slice(2)
const unknown = names.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  console.error(`there is no measurement ${unknown.join(', ')}; there are: ${known.join(' ')}`)
  process.exit(64)
}
const chosen = names.length > 0 ? names : known

let result = await heading()
const rows = []
for (const name of chosen.filter((name) => name in measurements)) {
  progress(name)
  const measured = await measurements[name](bench)
  for (const row of measured) progress(`  ${cells(row).slice(0, 4).filter(Boolean).join(' · ')}`)
  rows.push(...measured)
}
if (rows.length > 0) result += `\n\n${table(HEAD, rows.map(cells))}`
for (const name of chosen.filter((name) => OTHERS.includes(name))) {
  progress(name)
  result += `\n\n${(await output(process.execPath, [path(`${name}.mjs`)])).trim()}`
}
console.log(`\n${result}`)

// A part of the measurements does not replace the table of all: they were not made in one run.
if (names.length === 0) {
  const readme = path('README.md')
  const [before, rest] = readFileSync(readme, 'utf8').split('<!-- figures -->\n')
  const [, after] = rest.split('<!-- end of figures -->\n')
  writeFileSync(readme, `${before}<!-- figures -->\n${result}\n<!-- end of figures -->\n${after}`)
}
