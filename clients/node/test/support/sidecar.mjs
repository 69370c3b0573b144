// What the tests share: a folder of their own, clients on it, made-up sidecars, and waiting for conditions.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RenderStateClient } from 'renderstate'

/** What is to be done after each test that still runs. */
const endings = new WeakMap()

/** Has this done after the test, in the reverse order: what was begun last ends first, so that no folder goes while a sidecar uses it. */
export function afterwards(t, action) {
  if (!endings.has(t)) {
    const actions = []
    endings.set(t, actions)
    t.after(async () => {
      for (const each of actions.reverse()) await each()
    })
  }
  endings.get(t).push(action)
}

/** A folder that is gone after the test. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'renderstate-node-'))
  afterwards(t, () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A client on a database of its own; closed after the test. `logs` fills with what its logger gets. */
export function open(t, options = {}) {
  const logs = []
  const database = options.database ?? join(temporaryFolder(t), 'renders.sqlite')
  const client = RenderStateClient.spawn({ logger: (line) => logs.push(line), ...options, database })
  afterwards(t, () => client.close())
  return { client, database, logs }
}

/** A client with a sidecar of its own on a database that has one in this process already, as another process would have it. */
export function openBeside(t, database) {
  const key = Symbol.for('renderstate.sessions/1')
  const sessions = globalThis[key]
  globalThis[key] = new Map()
  try {
    return open(t, { database }).client
  } finally {
    globalThis[key] = sessions
  }
}

/** An executable that runs this JavaScript in place of a sidecar. */
export function madeUpSidecar(folder, source) {
  const path = join(folder, `sidecar-${Math.random().toString(36).slice(2)}`)
  writeFileSync(path, `#!${process.execPath}\n${source}`)
  chmodSync(path, 0o755)
  return path
}

/** The answer to `initialize` of a sidecar of this version, as JavaScript source: the function `initialized(id)`. */
export const initializedSource = `
  const initialized = (id) => JSON.stringify({ jsonrpc: '2.0', id, result: {
    server: { name: 'made-up', version: '9' }, protocolVersion: 1, store: { kind: 'none' },
    machine: { states: [], events: [], transitions: [] } } }) + '\\n'
  const lines = require('node:readline').createInterface({ input: process.stdin })
`

/** Waits until the condition holds, and returns what it gives. Fails after 20 s. */
export async function until(condition, what = String(condition)) {
  const deadline = Date.now() + 20_000
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Whether a process runs; a zombie that waits for its parent does not. */
export function isRunning(pid) {
  const stat = `/proc/${pid}/stat`
  if (!existsSync('/proc/self/stat')) {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  try {
    return !/\) [ZX] /.test(readFileSync(stat, 'utf8'))
  } catch {
    return false
  }
}

/** Kills the client's sidecar with SIGKILL, once it has one, and waits until the client has noticed. */
export async function killSidecar(client) {
  const pid = await until(() => client.pid, 'a sidecar')
  process.kill(pid, 'SIGKILL')
  await until(() => client.pid !== pid, 'the client notices the death')
  return pid
}

/** Reads from a watch until the predicate holds for an event, and returns all that came. */
export async function readUntil(watch, isLast) {
  const events = []
  for (;;) {
    const { value, done } = await watch.next()
    if (done) throw new Error('the watch has ended')
    events.push(value)
    if (isLast(value)) return events
  }
}

/** The whole history of a render. */
export async function history(client, id) {
  const changes = []
  let afterSeq = 0
  do {
    const page = await client.getHistory(id, { afterSeq, limit: 1000 })
    changes.push(...page.changes)
    afterSeq = page.nextAfterSeq
  } while (afterSeq !== null)
  return changes
}

/** A generator of numbers from 0 to n - 1 that is the same in every run. */
export function numbers(seed) {
  let state = seed >>> 0
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}
