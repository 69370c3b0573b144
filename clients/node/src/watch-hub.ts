import type { RenderStateError } from './errors.js'
import { Feed } from './feed.js'
import type { FeedEnvironment, FeedFilter } from './feed.js'
import { StatusCache } from './status-cache.js'
import type { Supervisor, SupervisorListener } from './supervisor.js'
import { Watch } from './watch.js'
import type { WatchEnvironment } from './watch.js'
import type { State, Status, StatusNotification } from './wire.generated.js'

/** What a watch asks for. With `ids`, `states` is applied here, so that all watches of the ids share one feed. */
export interface WatchRequest {
  readonly ids: readonly string[] | null
  readonly states: readonly State[] | null
  readonly afterSeq: number | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * All watches of one sidecar, and the feeds they listen to.
 *
 * Watches with the same filter share a feed. One that resumes from an older seq has a feed of its own until it has
 * caught up with the shared one.
 */
export class WatchHub implements SupervisorListener {
  readonly cache: StatusCache
  private readonly feeds = new Set<Feed>()
  private readonly sharedFeeds = new Map<string, Feed>()
  private readonly feedsBySubscription = new Map<string, Feed>()
  private readonly filters = new Map<Watch, FeedFilter>()
  private readonly feedEnvironment: FeedEnvironment

  constructor(private readonly supervisor: Supervisor) {
    this.cache = new StatusCache((id) => this.reread(id))
    this.feedEnvironment = {
      supervisor,
      cache: this.cache,
      route: (subscription, feed) => this.feedsBySubscription.set(subscription, feed),
      unroute: (subscription) => this.feedsBySubscription.delete(subscription),
      feedEnded: (feed) => this.forget(feed),
      caughtUp: (feed) => this.share(feed)
    }
    supervisor.setListener(this)
  }

  /** Starts a watch. It is told of everything from now on, whether it is read or not. */
  open(request: WatchRequest, onEnded: (watch: Watch) => void): Watch {
    request.signal?.throwIfAborted()
    const ids = request.ids && [...new Set(request.ids)]
    const filter = { ids, states: ids ? null : request.states }
    const watch = new Watch(this.watchEnvironment(onEnded), ids ? request.states : null, request.signal)
    this.filters.set(watch, filter)
    const refusal = this.supervisor.refusal()
    if (refusal) watch.fail(refusal)
    else if (request.afterSeq === undefined) this.joinShared(watch, filter)
    else this.openFeed(watch, filter, { afterSeq: request.afterSeq, shared: false })
    return watch
  }

  /** How many watches there are. */
  get size(): number {
    return this.filters.size
  }

  isWaiting(): boolean {
    return this.feeds.size > 0
  }

  onReady(): void {
    for (const feed of this.feeds) feed.subscribe()
  }

  onDown(): void {
    for (const feed of this.feeds) feed.down()
  }

  onGivenUp(error: RenderStateError): void {
    for (const feed of [...this.feeds]) feed.fail(error)
  }

  onNotification(method: string, params: unknown): void {
    // subscriptionEnded needs no answer: the feed goes on with the next process.
    if (method !== 'status') return
    const notification = params as StatusNotification
    this.feedsBySubscription.get(notification.subscription)?.take(notification)
  }

  private joinShared(watch: Watch, filter: FeedFilter): void {
    const feed = this.sharedFeeds.get(keyOf(filter))
    const statuses = feed?.isLive ? this.knownStatuses(filter) : []
    if (!feed || statuses === null) {
      this.openFeed(watch, filter, { afterSeq: null, shared: !feed })
    } else if (feed.isLive) {
      const seq = feed.snapshotSeq
      // Answers to this client's own requests may be ahead of the feed.
      const ahead = new Map(statuses.filter((status) => status.seq > seq).map((status) => [status.id, status.seq]))
      feed.join(watch, true)
      watch.begin(seq, statuses, false, ahead)
    } else {
      feed.join(watch, false)
    }
  }

  /** The statuses of the filter's ids; null if one of them is not known exactly. */
  private knownStatuses({ ids }: FeedFilter): Status[] | null {
    const statuses: Status[] = []
    for (const id of ids ?? []) {
      const status = this.cache.known(id)
      if (status === null) return null
      statuses.push(status)
    }
    return statuses
  }

  private openFeed(watch: Watch, filter: FeedFilter, from: { afterSeq: number | null; shared: boolean }): void {
    const feed = new Feed(keyOf(filter), filter, this.feedEnvironment, from.afterSeq)
    this.feeds.add(feed)
    if (from.shared) this.sharedFeeds.set(feed.key, feed)
    feed.join(watch, false)
    this.supervisor.ensureRunning()
    feed.subscribe()
  }

  /** A feed has told everything up to its snapshot: it becomes the shared one, or becomes one with it. */
  private share(feed: Feed): void {
    const shared = this.sharedFeeds.get(feed.key)
    if (!shared) this.sharedFeeds.set(feed.key, feed)
    else if (shared !== feed && shared.isLive && shared.position <= feed.position) feed.mergeInto(shared)
  }

  private forget(feed: Feed): void {
    this.feeds.delete(feed)
    if (this.sharedFeeds.get(feed.key) === feed) this.sharedFeeds.delete(feed.key)
  }

  private watchEnvironment(onEnded: (watch: Watch) => void): WatchEnvironment {
    return {
      statusAtLeast: (id, seq) => this.cache.atLeast(id, seq),
      readStatuses: async (ids) => (await this.supervisor.request('getStatuses', { ids })).statuses,
      resume: (watch, seq) => {
        const filter = this.filters.get(watch)
        if (filter) this.openFeed(watch, filter, { afterSeq: seq, shared: false })
      },
      hold: () => this.supervisor.hold(),
      release: () => this.supervisor.release(),
      ended: (watch) => {
        this.filters.delete(watch)
        onEnded(watch)
      }
    }
  }

  private reread(id: string): void {
    this.supervisor
      .request('getStatus', { id }, { perProcess: true, onResult: (status: Status) => this.cache.put(status) })
      // A lost answer is made up for by the snapshot that the next process gives.
      .catch(() => undefined)
  }
}

function keyOf({ ids, states }: FeedFilter): string {
  return JSON.stringify([ids, states])
}
