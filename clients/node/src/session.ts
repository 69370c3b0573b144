import { randomBytes } from 'node:crypto'
import { RenderStateError } from './errors.js'
import { databaseKey, processIdentity, supervisorSettings } from './spawn-options.js'
import type { SpawnOptions } from './spawn-options.js'
import { Supervisor } from './supervisor.js'
import { WatchHub } from './watch-hub.js'

/**
 * One sidecar of one database in this process, shared by all clients of that database.
 *
 * It ends when its last client has closed.
 */
export interface Session {
  readonly key: string
  readonly identity: string
  readonly supervisor: Supervisor
  readonly hub: WatchHub
  /** A key for a mutation whose caller gave none: never the same twice, in any process. */
  nextIdempotencyKey(): string
  clients: number
  logger: ((line: string) => void) | undefined
}

/**
 * Where the sessions are kept: hot reload evaluates this module again, and bundlers put several copies of it into one
 * process. The number goes up when a session of an old copy is of no use to a new one.
 */
const sessionsKey = Symbol.for('renderstate.sessions/1')

/** The session of the options' database, made if there is none. Throws kind configuration. */
export function openSession(options: SpawnOptions): Session {
  const sessions = allSessions()
  const key = databaseKey(options.database)
  const existing = sessions.get(key)
  if (!existing) {
    const session = makeSession(key, options)
    sessions.set(key, session)
    return session
  }
  if (existing.identity !== processIdentity(options)) {
    throw new RenderStateError(
      'configuration',
      `this process has a sidecar for ${key} already, with another command, other args or another env; ` +
        'use the same options, or close all its clients first'
    )
  }
  existing.clients += 1
  // After a hot reload the logger of the newest code is the one that works.
  if (options.logger) existing.logger = options.logger
  return existing
}

/** One client has no more use for the session. The last one ends the sidecar; the others' promise is for nothing. */
export function leaveSession(session: Session): Promise<void> {
  session.clients -= 1
  if (session.clients > 0) return Promise.resolve()
  const sessions = allSessions()
  if (sessions.get(session.key) === session) sessions.delete(session.key)
  return session.supervisor.close()
}

function makeSession(key: string, options: SpawnOptions): Session {
  const log = (line: string) => {
    try {
      session.logger?.(line)
    } catch {
      // A logger that throws must not end what it only describes.
    }
  }
  const supervisor = new Supervisor(supervisorSettings(options, key, log))
  const prefix = randomBytes(12).toString('base64url')
  let keys = 0
  const session: Session = {
    key,
    identity: processIdentity(options),
    supervisor,
    hub: new WatchHub(supervisor),
    nextIdempotencyKey: () => `${prefix}.${(keys++).toString(36).padStart(8, '0')}`,
    clients: 1,
    logger: options.logger
  }
  return session
}

function allSessions(): Map<string, Session> {
  const holder = globalThis as { [sessionsKey]?: Map<string, Session> }
  return (holder[sessionsKey] ??= new Map())
}
