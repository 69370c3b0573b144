import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { sidecarEnvironment } from './environment.js'
import { RenderStateError } from './errors.js'
import type { SupervisorSettings } from './supervisor.js'
import { longestTimerMs } from './timer.js'

/** Options of `RenderStateClient.spawn`. */
export interface SpawnOptions {
  /** The path of the SQLite file (its folder has to exist), or a `postgres://` URL where that is built in. */
  readonly database: string
  /** The sidecar's executable: a path, or a name on PATH. Without it: RENDERSTATE_BIN, PATH, the repository's build. */
  readonly command?: string | undefined
  /** Further arguments of `renderstate serve`, such as `['--stall-timeout', '5m']`. */
  readonly args?: readonly string[] | undefined
  /** Variables of the sidecar's environment besides HOME, PATH, LANG, TZ and RENDERSTATE_*. Undefined takes one away. */
  readonly env?: { readonly [name: string]: string | undefined } | undefined
  readonly timeouts?: ClientTimeouts | undefined
  /** Refuse requests while this many bytes of them wait for an answer. 64 MiB without it. */
  readonly maxPendingBytes?: number | undefined
  /** Gets each line that the sidecar writes to stderr, and what happens to its process. */
  readonly logger?: ((line: string) => void) | undefined
}

/** Times in milliseconds. */
export interface ClientTimeouts {
  /** How long a request may take, where the call does not say. Without it there is no limit. */
  readonly requestMs?: number | undefined
  /** From the start of a sidecar to its first answer. 10,000 without it. */
  readonly startMs?: number | undefined
  /** How long `close` waits for answers and for the sidecar's exit before it sends SIGTERM. 5,000 without it. */
  readonly closeMs?: number | undefined
  /** How long it waits after SIGTERM before SIGKILL. 2,000 without it. */
  readonly killMs?: number | undefined
}

/** What identifies a database in this process: the same file under another relative path is the same. */
export function databaseKey(database: string): string {
  if (typeof database !== 'string' || database === '' || database.includes('\0')) {
    throw new RenderStateError('configuration', 'the option database must be the path of a file, or a postgres:// URL')
  }
  if (isURL(database)) return database
  const path = resolve(database)
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path // The sidecar says what is wrong with the folder.
  }
}

/** What has to be equal in two calls of `spawn` that share a sidecar. */
export function processIdentity({ command, args = [], env = {} }: SpawnOptions): string {
  return JSON.stringify([command ?? null, args, Object.entries(env)])
}

export function supervisorSettings(options: SpawnOptions, key: string, log: (line: string) => void): SupervisorSettings {
  const { command, args = [], env = {}, timeouts = {}, maxPendingBytes = 64 * 1024 * 1024 } = options
  // A URL may hold a password, and arguments are visible to every user of the machine.
  const secret = isURL(key)
  return {
    command,
    args: ['serve', ...(secret ? [] : ['--database', key]), ...args],
    environment: () => sidecarEnvironment(secret ? { ...env, RENDERSTATE_DATABASE: key } : env),
    timeouts: {
      startMs: Math.min(timeouts.startMs ?? 10_000, longestTimerMs),
      closeMs: Math.min(timeouts.closeMs ?? 5_000, longestTimerMs),
      killMs: Math.min(timeouts.killMs ?? 2_000, longestTimerMs)
    },
    maxPendingBytes,
    log
  }
}

function isURL(database: string): boolean {
  return /^[a-z]+:\/\//i.test(database)
}
