import { asyncDispose } from './async-dispose.js'
import { RenderStateError } from './errors.js'
import { metricsText } from './metrics.js'
import type { RequestOptions } from './request-queue.js'
import { leaveSession, openSession } from './session.js'
import type { Session } from './session.js'
import type { SpawnOptions } from './spawn-options.js'
import { closedError } from './supervisor.js'
import { Watch } from './watch.js'
import type { WatchEvent } from './watch.js'
import { TERMINAL_STATES } from './wire.generated.js'
import type {
  AcquireLeaseParams,
  Event,
  GetHistoryParams,
  HistoryPage,
  Lease,
  ListStatusesParams,
  Methods,
  RegenerateParams,
  ReleaseLeaseParams,
  State,
  Stats,
  Status,
  StatusPage,
  TransitionParams,
  TransitionResult
} from './wire.generated.js'

/** With a signal, an aborted call throws the signal's reason; what was sent may take effect all the same. */
export type CallOptions = RequestOptions
export type TransitionOptions = Omit<TransitionParams, 'id' | 'event'> & CallOptions
export type RegenerateOptions = Omit<RegenerateParams, 'id'> & CallOptions
export type ListOptions = ListStatusesParams & CallOptions
export type HistoryOptions = Omit<GetHistoryParams, 'id'> & CallOptions

export interface ReadOptions extends CallOptions {
  /** Ask the store, also where a watch keeps the status in memory. */
  readonly fresh?: boolean | undefined
}

export interface MetricsOptions extends CallOptions {
  /** Is told why the sidecar does not answer. */
  readonly onError?: ((error: RenderStateError) => void) | undefined
}

/** What to watch: these renders, or without `ids` all of them; of their changes those into `states`, or all. */
export interface WatchFilter {
  /** 1 to 1,000 ids. */
  readonly ids?: readonly string[] | undefined
  readonly states?: readonly State[] | undefined
}

export interface WatchOptions {
  /** Tell the changes after this seq, too: where an earlier watch has stopped. */
  readonly afterSeq?: number | undefined
  /** Ends the watch: its `next` throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface WaitOptions {
  /** The states to wait for. Without it: completed and failed. */
  readonly states?: readonly State[] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The renders of one database.
 *
 * Every method rejects with a `RenderStateError`; its `kind` says what went wrong. Requests take effect in the order
 * in which they are made. A sidecar that dies is replaced: what was not answered is sent again, and nothing takes effect twice,
 * as each mutation has an idempotency key (a random one, where the caller gives none).
 */
export class RenderStateClient {
  private readonly watches = new Set<Watch>()
  private closing: Promise<void> | null = null

  private constructor(
    private readonly session: Session,
    private readonly defaultTimeoutMs: number | undefined
  ) {}

  /**
   * A client of that database. All clients of one database in a process share one sidecar, which is started with
   * their first request and ends when the last of them is closed, or with the process.
   *
   * Throws kind configuration: `database` is no path, or a client with another command, args or env exists for it.
   */
  static spawn(options: SpawnOptions): RenderStateClient {
    return new RenderStateClient(openSession(options), options.timeouts?.requestMs)
  }

  /** The process id of the sidecar, or null while none runs. */
  get pid(): number | null {
    return this.session.supervisor.pid
  }

  /** Sends one event to one render. Resolves when the change is durable. */
  transition(id: string, event: Event, options: TransitionOptions = {}): Promise<TransitionResult> {
    const { signal, timeoutMs, ...params } = options
    return this.mutate('transition', { ...params, id, event }, { signal, timeoutMs })
  }

  /** Starts a new run of a completed or failed render; of one that was never started, the first. */
  regenerate(id: string, options: RegenerateOptions = {}): Promise<TransitionResult> {
    const { signal, timeoutMs, ...params } = options
    return this.mutate('regenerate', { ...params, id }, { signal, timeoutMs })
  }

  /**
   * The render as it is now; idle if it was never started.
   *
   * While the id is watched it is answered from memory: this includes every change that this process has made, and
   * those of others as soon as they are pushed, which takes milliseconds. `fresh` asks the store. The object is frozen then.
   */
  async getStatus(id: string, { fresh = false, ...call }: ReadOptions = {}): Promise<Status> {
    const known = fresh ? null : this.remembered(id, call)
    return known ?? this.request('getStatus', { id }, call, (status: Status) => this.session.hub.cache.put(status))
  }

  /** Many at once, in the order asked: 1 to 1,000 ids. From memory if all of them are watched. */
  async getStatuses(ids: readonly string[], { fresh = false, ...call }: ReadOptions = {}): Promise<readonly Status[]> {
    const known = fresh || ids.length === 0 ? [] : ids.map((id) => this.remembered(id, call))
    if (known.length > 0 && !known.includes(null)) return known as Status[]
    const answer = await this.request('getStatuses', { ids }, call, ({ statuses }: { statuses: readonly Status[] }) => {
      for (const status of statuses) this.session.hub.cache.put(status)
    })
    return answer.statuses
  }

  /** One page of renders, those changed last first. Pass `nextCursor` on as `cursor`; it is null on the last page. */
  listStatuses(options: ListOptions = {}): Promise<StatusPage> {
    const { signal, timeoutMs, ...params } = options
    return this.request('listStatuses', params, { signal, timeoutMs })
  }

  /** All renders, page by page of `limit`. One that changes meanwhile may come twice or not at all. */
  async *allStatuses(options: ListOptions = {}): AsyncGenerator<Status, void, undefined> {
    let cursor = options.cursor ?? null
    do {
      const page = await this.listStatuses({ ...options, cursor })
      yield* page.statuses
      cursor = page.nextCursor
    } while (cursor !== null)
  }

  /** The changes of one render, oldest first. Pass `nextAfterSeq` on as `afterSeq`; it is null on the last page. */
  getHistory(id: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    const { signal, timeoutMs, ...params } = options
    return this.request('getHistory', { ...params, id }, { signal, timeoutMs })
  }

  /** Takes a lease, or renews one's own. `acquired` is false where another holder has it. */
  acquireLease(lease: AcquireLeaseParams, options: CallOptions = {}): Promise<Lease> {
    return this.request('acquireLease', lease, options)
  }

  /** True if the holder had it. Where the sidecar died meanwhile, false may also mean that it is released already. */
  async releaseLease(lease: ReleaseLeaseParams, options: CallOptions = {}): Promise<boolean> {
    return (await this.request('releaseLease', lease, options)).released
  }

  /** Figures of the sidecar and its store. */
  stats(options: CallOptions = {}): Promise<Stats> {
    return this.request('stats', {}, options)
  }

  /**
   * The metrics of the store, the sidecar and this client, in Prometheus' text format. Where the sidecar does not answer within
   * `timeoutMs` (5 s if absent) or otherwise fails, those of this client alone, with `renderstate_client_up 0`.
   */
  async metrics({ onError, timeoutMs = 5_000, signal }: MetricsOptions = {}): Promise<string> {
    const { supervisor, hub } = this.session
    // Before it is asked, so that this request does not count.
    const { pendingRequests, pendingBytes } = supervisor.figures
    const figures = () => ({ ...supervisor.figures, pendingRequests, pendingBytes, watches: hub.size })
    try {
      return metricsText(await this.stats({ timeoutMs, signal }), figures())
    } catch (error) {
      if (!(error instanceof RenderStateError) || error.kind === 'closed') throw error
      onError?.(error)
      return metricsText(null, figures())
    }
  }

  /**
   * What happens to a render, or to many: first a snapshot, then every change after it, in order, none missing and
   * none twice, also while the sidecar is replaced. With `afterSeq` the changes after that come behind the snapshot.
   *
   * It counts from the call on, not from the first `next`, so leave its loop or call `return` when it is of no use any more.
   */
  watch(target: string | WatchFilter, { afterSeq, signal }: WatchOptions = {}): AsyncIterableIterator<WatchEvent> {
    if (this.closing) throw closedError()
    const { ids = null, states = null } = typeof target === 'string' ? { ids: [target] } : checked(target)
    const watch = this.session.hub.open({ ids, states, afterSeq, signal }, (ended) => this.watches.delete(ended))
    if (!watch.isFinished) this.watches.add(watch)
    return watch
  }

  /**
   * The render, read from the store, as soon as it is in one of the states. A state that is over before it can be
   * read does not count: wait for those that last.
   */
  async waitFor(id: string, { states = TERMINAL_STATES, signal }: WaitOptions = {}): Promise<Status> {
    const watch = this.watch(id, { signal })
    try {
      for await (const event of watch) {
        const [status] = event.type === 'snapshot' ? event.statuses : [event.status]
        if (!status || !states.includes(status.state)) continue
        const now = await this.getStatus(id, { fresh: true, signal })
        if (states.includes(now.state)) return now
      }
    } finally {
      await watch.return?.()
    }
    throw closedError()
  }

  /**
   * Ends this client: its watches throw kind closed, new requests are refused. The last client of a database lets what
   * waits be answered, and ends the sidecar: by the end of its stdin, then SIGTERM, then SIGKILL. Never rejects.
   */
  close(): Promise<void> {
    if (!this.closing) {
      for (const watch of [...this.watches]) watch.abort(closedError())
      this.closing = leaveSession(this.session)
    }
    return this.closing
  }

  [asyncDispose](): Promise<void> {
    return this.close()
  }

  private mutate<Name extends 'transition' | 'regenerate'>(
    method: Name,
    params: Methods[Name]['params'],
    call: CallOptions
  ): Promise<TransitionResult> {
    const { hub } = this.session
    const { id } = params
    const idempotencyKey = params.idempotencyKey ?? this.session.nextIdempotencyKey()
    hub.cache.mutationBegan(id)
    return this.request(
      method,
      { ...params, idempotencyKey },
      call,
      (result: TransitionResult) => {
        hub.cache.put(result.status)
      },
      (error) => {
        if (error.status) hub.cache.put(error.status)
      }
    ).finally(() => hub.cache.mutationEnded(id))
  }

  private request<Name extends keyof Methods>(
    method: Name,
    params: Methods[Name]['params'],
    { signal, timeoutMs = this.defaultTimeoutMs }: CallOptions,
    onResult?: (result: never) => void,
    onError?: (error: RenderStateError) => void
  ): Promise<Methods[Name]['result']> {
    if (this.closing) return Promise.reject(closedError())
    return this.session.supervisor.request(method, params, {
      signal,
      timeoutMs,
      ...(onResult && { onResult }),
      ...(onError && { onError })
    })
  }

  private remembered(id: string, { signal }: CallOptions): Status | null {
    signal?.throwIfAborted()
    return this.closing ? null : this.session.hub.cache.get(id)
  }
}

function checked(filter: WatchFilter): WatchFilter {
  const unknown = Object.keys(filter).find((name) => name !== 'ids' && name !== 'states')
  if (unknown !== undefined) {
    // A typing mistake must not turn into a watch of everything.
    throw new RenderStateError('configuration', `a watch filters by ids and states; there is no ${JSON.stringify(unknown)}`)
  }
  return filter
}
