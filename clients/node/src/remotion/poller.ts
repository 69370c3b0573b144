import { createHash, randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { RenderStateClient } from '../client.js'
import { RenderStateError } from '../errors.js'
import { messageOf } from '../fail-attempt.js'
import { TERMINAL_STATES } from '../wire.generated.js'
import type { Context, Event, Status } from '../wire.generated.js'
import { ActiveRenders } from './active-renders.js'
import { isUnstorable, report } from './attempt.js'
import type { Attempt } from './attempt.js'
import { outcomeOf } from './outcome.js'
import type { Outcome } from './outcome.js'
import { backoff, spread } from './pauses.js'
import type { PauseOptions } from './pauses.js'
import type { RenderSite } from './video-renderer.js'

export interface RenderPollerOptions extends RenderSite, PauseOptions {
  readonly client: RenderStateClient
  /** How long after this process's death another one takes over. 15,000 if absent. */
  readonly leaseMs?: number | undefined
  /** How long the renderer may not know a renderId that it gave. 30,000 if absent. */
  readonly unknownMs?: number | undefined
  /** How long a look may take. 30,000 if absent. */
  readonly lookTimeoutMs?: number | undefined
  /** Between a timeout that the renderer reports and the look that decides. 3,000 if absent. */
  readonly lookAgainMs?: number | undefined
  /** Reads the progress from the bucket, without a paid call of the function. */
  readonly skipLambdaInvocation?: boolean | undefined
  /** Who it was, in the history. */
  readonly actor?: string | undefined
  /** Gets what went wrong and is tried again. */
  readonly logger?: ((line: string) => void) | undefined
}

/**
 * Asks the renderer how its renders are, and reports it: the net under webhooks that get lost.
 *
 * Of all pollers of a render, in all processes, one asks, by a lease in the store; the others wait for the end of the
 * render or of the lease.
 */
export class RenderPoller {
  private readonly holder = `poller ${process.pid} ${randomUUID()}`
  private readonly running = new Map<string, Promise<Status>>()
  private readonly stopping = new AbortController()
  private following: Promise<void> | null = null

  constructor(private readonly options: RenderPollerOptions) {
    // Each render listens.
    setMaxListeners(0, this.stopping.signal)
  }

  /**
   * Polls the render until it has ended, through further attempts if there are any, and resolves with its status. Of one that was never
   * started it resolves at once. Calls for one id share the work.
   *
   * Rejects with the reason of `stop`, or where the client is closed or has given up; not because of the renderer.
   */
  poll(id: string): Promise<Status> {
    const running = this.running.get(id)
    if (running) return running
    const work = new PolledRender(id, this.holder, this.options, this.stopping.signal)
    const promise = work.run().finally(() => this.running.delete(id))
    this.running.set(id, promise)
    return promise
  }

  /**
   * Polls every active render of the store, whoever has started it, and those that become active later, until `stop` or until the client
   * is closed: then it resolves. Trouble with the store or the sidecar goes to the logger, and is waited out.
   *
   * Rejects where waiting is of no use, as where there is no sidecar to start. Calls share the work.
   */
  pollActive(): Promise<void> {
    const active = () => new ActiveRenders((id) => this.poll(id), this.options, this.stopping.signal)
    return (this.following ??= active().run().finally(() => (this.following = null)))
  }

  /** Ends all polling, and releases its leases, so that others may go on at once. Never rejects. */
  async stop(): Promise<void> {
    this.stopping.abort(new RenderStateError('closed', 'the poller was stopped'))
    await Promise.allSettled([...this.running.values(), this.following])
  }
}

/** One render, as long as this process polls it or waits to. */
class PolledRender {
  private status: Status | null = null
  private watchError: unknown = null
  /** Resolves the pause that is on. */
  private wake: () => void = () => undefined
  private readonly lease: string

  constructor(
    private readonly id: string,
    private readonly holder: string,
    private readonly options: RenderPollerOptions,
    private readonly stopped: AbortSignal
  ) {
    const name = `poll ${id}`
    // An id may be as long as a name may be.
    this.lease = Buffer.byteLength(name) <= 200 ? name : `poll ${createHash('sha256').update(id).digest('hex')}`
  }

  async run(): Promise<Status> {
    const { client, leaseMs = 15_000 } = this.options
    this.stopped.throwIfAborted()
    const watch = client.watch(this.id)
    const wake = () => this.wake()
    this.stopped.addEventListener('abort', wake)
    const following = this.follow(watch)
    let failures = 0
    try {
      for (;;) {
        if (this.isOver()) return this.status as Status
        if (!this.reference()) {
          // The renderer has not answered yet; the watch tells when it has.
          await this.pause(null, () => this.isOver() || this.reference() !== null)
          continue
        }
        try {
          const lease = await client.acquireLease({ name: this.lease, holder: this.holder, ttlMs: leaseMs })
          failures = 0
          if (lease.acquired) await this.pollWhileHeld(leaseMs)
          else {
            // Its end by this clock, which may be another machine's; in no case longer than a lease lasts.
            const rest = Math.min(leaseMs, Math.max(0, Date.parse(lease.expiresAt) - Date.now()))
            await this.pause(rest + spread(leaseMs / 10, this.options), () => this.isOver())
          }
        } catch (error) {
          if (!isPassing(error) || this.stopped.aborted) throw error
          this.log(error)
          await this.pause(backoff((failures += 1), this.options), () => this.isOver())
        }
      }
    } finally {
      this.stopped.removeEventListener('abort', wake)
      await watch.return?.()
      await following
    }
  }

  /** Looks until the render has ended or changed hands, or the lease is lost. */
  private async pollWhileHeld(leaseMs: number): Promise<void> {
    const { client } = this.options
    let isHeld = true
    let heldUntil = Date.now() + leaseMs
    const renewal = setInterval(() => {
      const askedAt = Date.now()
      if (askedAt >= heldUntil) isHeld = false
      client.acquireLease({ name: this.lease, holder: this.holder, ttlMs: leaseMs }).then(
        ({ acquired }) => {
          if (acquired) heldUntil = askedAt + leaseMs
          else isHeld = false
        },
        (error) => this.log(error)
      )
    }, Math.max(1, Math.floor(leaseMs / 3)))
    try {
      await this.look(() => isHeld && Date.now() < heldUntil)
    } finally {
      clearInterval(renewal)
      await client.releaseLease({ name: this.lease, holder: this.holder }).catch((error) => this.log(error))
    }
  }

  private async look(isHeld: () => boolean): Promise<void> {
    const { intervalMs = 2000, unknownMs = 30_000, lookAgainMs = 3000 } = this.options
    const attempt = this.reference()
    const isOurs = () => isHeld() && !this.isOver() && this.reference()?.renderId === attempt?.renderId
    const began = Date.now()
    let failures = 0
    let hasLookedAgain = false
    while (attempt && isOurs()) {
      let pause: number
      try {
        const outcome = await this.ask(attempt)
        failures = 0
        // While it was asked another process may have taken over.
        if (!isOurs()) return
        if (outcome.type === 'timeout' && !hasLookedAgain) {
          hasLookedAgain = true
          pause = lookAgainMs
        } else {
          await this.settle(attempt, outcome)
          if (outcome.type !== 'running') return
          pause = intervalMs + spread(intervalMs, this.options)
        }
      } catch (error) {
        if (error instanceof RenderStateError) throw error
        if (isUnknownRender(error) && Date.now() - began < unknownMs) {
          pause = intervalMs + spread(intervalMs, this.options)
        } else if (isUnknownRender(error)) {
          await this.settle(attempt, { type: 'failed', message: messageOf(error) })
          return
        } else {
          this.log(error)
          pause = backoff((failures += 1), this.options)
        }
      }
      await this.pause(pause, () => !isOurs())
    }
  }

  private async ask({ renderId, bucketName }: Attempt & { readonly bucketName: string }): Promise<Outcome> {
    const { renderer, region, functionName, skipLambdaInvocation, lookTimeoutMs = 30_000 } = this.options
    const skip = skipLambdaInvocation === undefined ? {} : { skipLambdaInvocation }
    const look = renderer.getRenderProgress({ renderId, bucketName, region, functionName, ...skip })
    const given = new AbortController()
    const cut = new Promise<never>((_, reject) => {
      const timer = setTimeout(reject, lookTimeoutMs, new Error(`the renderer did not answer within ${lookTimeoutMs} ms`))
      const stop = () => reject(this.stopped.reason)
      this.stopped.addEventListener('abort', stop, { signal: given.signal })
      given.signal.addEventListener('abort', () => clearTimeout(timer))
    })
    try {
      return outcomeOf(await Promise.race([look, cut]), { bucketName, region })
    } finally {
      given.abort()
    }
  }

  private async settle(attempt: Attempt, outcome: Outcome): Promise<void> {
    // What does not move is no event: the stall timeout is to see it.
    const isKnown = outcome.type === 'running' && this.status?.state === 'rendering' && outcome.progress <= this.status.progress
    if (isKnown) return
    const { client, actor = 'poller' } = this.options
    const [event, context] = eventOf(outcome)
    const { status } = await report(client, attempt, event, context, { actor }).catch((error: unknown) => {
      // A video whose URL cannot be stored, or its render would never end.
      if (event !== 'complete' || !isUnstorable(error)) throw error
      return report(client, attempt, 'fail', { error: `the video cannot be stored: ${messageOf(error)}` }, { actor })
    })
    // The watch tells it, too, but a little later.
    this.note(status)
  }

  /** Keeps the status as the store tells it. */
  private async follow(watch: ReturnType<RenderStateClient['watch']>): Promise<void> {
    try {
      for await (const event of watch) {
        this.note(event.type === 'snapshot' ? event.statuses[0] : event.status)
      }
    } catch (error) {
      this.watchError = error
      this.wake()
    }
  }

  private note(status: Status | undefined): void {
    if (status && (this.status === null || status.seq >= this.status.seq)) this.status = status
    this.wake()
  }

  private isOver(): boolean {
    return this.status !== null && (this.status.state === 'idle' || TERMINAL_STATES.includes(this.status.state))
  }

  /** The attempt that the renderer can be asked about, or null. */
  private reference(): (Attempt & { readonly bucketName: string }) | null {
    if (!this.status) return null
    const { id, run, attempt, renderId, bucketName } = this.status
    return renderId === null || bucketName === null ? null : { id, run, attempt, renderId, bucketName }
  }

  /** Until the time is over (null: without end), or what the watch tells makes the condition true. Throws when stopped. */
  private async pause(ms: number | null, isEnough: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer: NodeJS.Timeout | null = ms === null ? null : setTimeout(() => this.wakeNow(resolve, timer), ms)
      this.wake = () => {
        if (this.stopped.aborted || this.watchError !== null || isEnough()) this.wakeNow(resolve, timer)
      }
      this.wake()
    })
    this.stopped.throwIfAborted()
    if (this.watchError !== null) throw this.watchError
  }

  private wakeNow(resolve: () => void, timer: NodeJS.Timeout | null): void {
    if (timer) clearTimeout(timer)
    this.wake = () => undefined
    resolve()
  }

  private log(error: unknown): void {
    this.options.logger?.(`polling ${JSON.stringify(this.id)}: ${messageOf(error)}`)
  }
}

function eventOf(outcome: Outcome): [Event, Context] {
  switch (outcome.type) {
    case 'running':
      return ['progress', { progress: outcome.progress }]
    case 'done':
      return ['complete', { videoUrl: outcome.videoUrl }]
    case 'cancelled':
      return ['cancel', { error: outcome.message }]
    case 'timeout':
    case 'failed':
      return ['fail', { error: outcome.message }]
  }
}

/** Whether the store may be had again later. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof RenderStateError && ['storeBusy', 'storeUnavailable', 'shuttingDown', 'timeout', 'overloaded'].includes(error.kind)
  )
}

/** Right after the start, Remotion Lambda may not know the render yet. */
function isUnknownRender(error: unknown): boolean {
  return /no render id found|no render with/i.test(messageOf(error))
}
