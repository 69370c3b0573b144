import { PROCESSING_STATUS } from './wire.generated.js'
import type { Change, Status } from './wire.generated.js'

interface Entry {
  /** The newest status that was seen. It never goes back: its seq only grows. */
  status: Status | null
  /** The seq of the newest change that could not be merged. Until `status` has come that far, it is out of date. */
  neededSeq: number
  /** How many feeds want this id, and how many of them are told of every change right now. */
  feeds: number
  liveFeeds: number
}

/**
 * The statuses of the ids that feeds watch, as fresh as what the sidecar has told.
 *
 * An entry is made from a snapshot and goes forward by changes, answers and refusals, whichever come first;
 * the seq of the last change tells which of two is newer. A change tells only the metadata of its own event, so
 * it is merged where it follows directly on what is known, and else the status has to be read again.
 */
export class StatusCache {
  private readonly entries = new Map<string, Entry>()
  private readonly mutations = new Map<string, number>()

  /** `reread` is called when an id has to be read from the store again, and leads to a `put`. */
  constructor(private readonly reread: (id: string) => void) {}

  /** A feed begins to want these ids. They are answered from here once it is live. */
  cover(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.entries.get(id)
      if (entry) entry.feeds += 1
      else this.entries.set(id, { status: null, neededSeq: 0, feeds: 1, liveFeeds: 0 })
    }
  }

  uncover(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.entries.get(id)
      if (entry && --entry.feeds === 0) this.entries.delete(id)
    }
  }

  /** A covering feed has taken a snapshot, and is told of every change after it; or is so no longer. */
  setLive(ids: readonly string[], live: boolean): void {
    for (const id of ids) {
      const entry = this.entries.get(id)
      if (entry) entry.liveFeeds += live ? 1 : -1
    }
  }

  /**
   * The status of an id, if it is sure to be as new as everything that this client was told, and no
   * mutation of this client is under way that it could miss. Else null: ask the store.
   */
  get(id: string): Status | null {
    const entry = this.entries.get(id)
    if (!entry || entry.liveFeeds === 0 || this.mutations.has(id)) return null
    return this.exact(entry)
  }

  /** The status of a covered id with everything that this client was told, mutations under way aside; else null. */
  known(id: string): Status | null {
    const entry = this.entries.get(id)
    return entry ? this.exact(entry) : null
  }

  /** The newest status that is known of an id and includes the change of that seq; else null. */
  atLeast(id: string, seq: number): Status | null {
    const status = this.entries.get(id)?.status ?? null
    return status !== null && status.seq >= seq ? status : null
  }

  /** Takes in a status that was read, if the id is covered and nothing newer is known. */
  put(status: Status): void {
    const entry = this.entries.get(status.id)
    if (entry && (entry.status === null || status.seq > entry.status.seq)) entry.status = frozen(status)
  }

  /** Takes in a status although something newer seems to be known: the log was cut or the store replaced. */
  replace(status: Status): void {
    const entry = this.entries.get(status.id)
    if (!entry) return
    entry.status = frozen(status)
    entry.neededSeq = 0
  }

  /** Takes in a change that a feed was told of. */
  apply(change: Change): void {
    const entry = this.entries.get(change.id)
    if (!entry || (entry.status !== null && entry.status.seq >= change.seq)) return
    if (entry.status !== null && this.exact(entry) !== null && follows(change, entry.status)) {
      entry.status = frozen(merged(entry.status, change))
    } else if (change.seq > entry.neededSeq) {
      entry.neededSeq = change.seq
      this.reread(change.id)
    }
  }

  /** A mutation of this id is on its way; until it has ended the id is not answered from here. */
  mutationBegan(id: string): void {
    this.mutations.set(id, (this.mutations.get(id) ?? 0) + 1)
  }

  mutationEnded(id: string): void {
    const left = (this.mutations.get(id) ?? 1) - 1
    if (left === 0) this.mutations.delete(id)
    else this.mutations.set(id, left)
  }

  private exact(entry: Entry): Status | null {
    return entry.status !== null && entry.status.seq >= entry.neededSeq ? entry.status : null
  }
}

/** Whether the change is the very next one of the render, and tells all that it changed. */
function follows(change: Change, status: Status): boolean {
  // A change by SQL is logged without its metadata.
  return change.version === status.version + 1 && change.actor !== 'sql'
}

/** The status right after a change that follows directly on it. */
function merged(status: Status, change: Change): Status {
  const { id, state, progress, renderId, bucketName, videoUrl, error, run, attempt, version, seq } = change
  return {
    id,
    state,
    progress,
    renderId,
    bucketName,
    videoUrl,
    error,
    metadata: mergedMetadata(status.metadata, change.metadata),
    run,
    attempt,
    version,
    lastEvent: change.event,
    processingStatus: PROCESSING_STATUS[state],
    seq,
    createdAt: status.createdAt ?? change.at,
    updatedAt: change.at
  }
}

type Metadata = Status['metadata']

/** Key by key, at the top level; null removes. By way of a map: a key may be named `__proto__`. */
function mergedMetadata(stored: Metadata, given: Metadata | null): Metadata {
  if (given === null) return stored
  const entries = new Map(Object.entries(stored))
  for (const [key, value] of Object.entries(given)) {
    if (value === null) entries.delete(key)
    else entries.set(key, value)
  }
  return Object.fromEntries(entries)
}

/** The same object is handed to many callers, so none may change it. */
function frozen(status: Status): Status {
  return deeplyFrozen(status) as Status
}

function deeplyFrozen(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) deeplyFrozen(part)
  }
  return value
}
