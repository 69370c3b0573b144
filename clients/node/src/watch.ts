import type { RenderStateError } from './errors.js'
import type { Feed, FeedMember } from './feed.js'
import type { Change, State, Status } from './wire.generated.js'

/** The renders as they are: the first thing that a watch yields. */
export interface WatchSnapshot {
  readonly type: 'snapshot'
  /** Pass it as `afterSeq` to go on from here. */
  readonly seq: number
  /** The renders of `ids`, in the order asked; empty where the filter names none. */
  readonly statuses: readonly Status[]
  /** True where changes were missed for good, because the log was cut: the statuses are the truth then. */
  readonly gap: boolean
}

/** One change of one render. */
export interface WatchChange {
  readonly type: 'change'
  /** That of the change; pass it as `afterSeq` to go on from here. */
  readonly seq: number
  readonly change: Change
  /** The render as it is known now: as new as the change, or newer. */
  readonly status: Status
  /** How many changes the sidecar has left out before this one, because more than 10,000 waited. */
  readonly skipped: number
}

export type WatchEvent = WatchSnapshot | WatchChange

/** What a watch needs of its surroundings. */
export interface WatchEnvironment {
  /** The newest known status that includes the change of that seq, or null. */
  statusAtLeast(id: string, seq: number): Status | null
  readStatuses(ids: readonly string[]): Promise<readonly Status[]>
  /** Puts a watch that has left its feed into one that goes on after `seq`. */
  resume(watch: Watch, seq: number): void
  /** Keeps the host alive while somebody waits for the next event. */
  hold(): void
  release(): void
  ended(watch: Watch): void
}

type QueuedEvent = WatchSnapshot | (Omit<WatchChange, 'status'> & { status: Status | null })

/** How many events wait for a slow reader. Beyond that they wait in the sidecar's log. */
const queueLimit = 1024
/** How many missing statuses are read at once. */
const readLimit = 100

/**
 * The events of one call of `watch`, to be read with `for await`.
 *
 * A reader that is slow misses nothing: the watch then leaves its feed, and goes on from the log where it stopped.
 * Ends with `return` (or by leaving the loop); throws where it cannot go on.
 */
export class Watch implements AsyncIterableIterator<WatchEvent>, FeedMember {
  feed: Feed | null = null
  private readonly events = this.read()
  private queue: QueuedEvent[] = []
  private begun = false
  private lagging = false
  private finished = false
  private failure: { readonly reason: unknown } | null = null
  private wake: (() => void) | null = null
  /** Everything up to here is in the queue or was read. */
  private cursor = 0
  /** Ids whose status in the snapshot is newer than the cursor, with its seq. */
  private ahead: ReadonlyMap<string, number> | null = null
  private readonly stopListening: () => void

  /** With `states`, only changes into these are yielded. */
  constructor(
    private readonly environment: WatchEnvironment,
    private readonly states: readonly State[] | null,
    signal: AbortSignal | undefined
  ) {
    const abort = () => this.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    this.stopListening = () => signal?.removeEventListener('abort', abort)
  }

  get isFinished(): boolean {
    return this.finished
  }

  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    return this.events.next()
  }

  /** Ends the watch, also while a `next` waits: that gets `done`. */
  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.queue = []
    this.finish()
    return this.events.return(undefined)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Ends it at once with an error, whatever waits in the queue. */
  abort(reason: unknown): void {
    this.queue = []
    this.failure ??= { reason }
    this.finish()
  }

  begin(seq: number, statuses: readonly Status[], gap: boolean, ahead: ReadonlyMap<string, number> | null = null): void {
    this.cursor = seq
    this.ahead = ahead
    if (this.begun && !gap) return
    this.begun = true
    this.push({ type: 'snapshot', seq, statuses, gap })
  }

  change(change: Change, skipped: number): void {
    const { seq, id } = change
    if (seq <= this.cursor) return
    const wanted = (this.states === null || this.states.includes(change.state)) && (this.ahead?.get(id) ?? 0) < seq
    if (wanted && this.queue.length >= queueLimit) {
      this.lagging = true
      this.feed?.leave(this)
      return
    }
    this.cursor = seq
    if (wanted) this.push({ type: 'change', seq, change, status: this.environment.statusAtLeast(id, seq), skipped })
  }

  fail(error: RenderStateError): void {
    this.failure ??= { reason: error }
    this.finish()
  }

  private async *read(): AsyncGenerator<WatchEvent, undefined, undefined> {
    try {
      for (;;) {
        const event = await this.take()
        if (event === undefined) return undefined
        if (event.type === 'change' && event.status === null) await this.readStatuses(event)
        yield event as WatchEvent
      }
    } finally {
      this.finish()
    }
  }

  /** The next event; undefined at the end. */
  private async take(): Promise<QueuedEvent | undefined> {
    for (;;) {
      const event = this.queue.shift()
      if (event) return event
      if (this.failure) throw this.failure.reason
      if (this.finished) return undefined
      if (this.lagging) {
        this.lagging = false
        this.environment.resume(this, this.cursor)
        continue
      }
      this.environment.hold()
      await new Promise<void>((resolve) => (this.wake = resolve))
      this.environment.release()
    }
  }

  /** Reads the status of a change where it is not known, and those of the changes behind it in one go. */
  private async readStatuses(event: QueuedEvent): Promise<void> {
    const events = [event, ...this.queue.slice(0, readLimit - 1)]
    const missing = new Set<string>()
    for (const one of events) if (one.type === 'change' && one.status === null) missing.add(one.change.id)
    const statuses = await this.environment.readStatuses([...missing])
    const byId = new Map(statuses.map((status) => [status.id, status]))
    for (const one of events) if (one.type === 'change') one.status ??= byId.get(one.change.id) ?? null
  }

  private push(event: QueuedEvent): void {
    this.queue.push(event)
    this.wakeUp()
  }

  private finish(): void {
    if (this.finished) return
    this.finished = true
    this.stopListening()
    this.feed?.leave(this)
    this.environment.ended(this)
    this.wakeUp()
  }

  private wakeUp(): void {
    const wake = this.wake
    this.wake = null
    wake?.()
  }
}
