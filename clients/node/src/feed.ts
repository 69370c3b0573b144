import type { RenderStateError } from './errors.js'
import type { StatusCache } from './status-cache.js'
import type { Supervisor } from './supervisor.js'
import type { Change, State, Status, StatusNotification, Subscribed, SubscribeParams } from './wire.generated.js'

/** What a feed tells its members. */
export interface FeedMember {
  /** Where it is a member; kept by the feeds. */
  feed: Feed | null
  /** The feed runs, and everything up to `seq` is in the statuses. `gap`: changes were missed for good. */
  begin(seq: number, statuses: readonly Status[], gap: boolean): void
  change(change: Change, skipped: number): void
  fail(error: RenderStateError): void
}

/** What a subscription filters by. `ids` are distinct; with `ids`, `states` is null. */
export interface FeedFilter {
  readonly ids: readonly string[] | null
  readonly states: readonly State[] | null
}

/** What a feed needs of its surroundings. */
export interface FeedEnvironment {
  readonly supervisor: Supervisor
  readonly cache: StatusCache
  /** Notifications of the subscription go to that feed from now on. */
  route(subscription: string, feed: Feed): void
  unroute(subscription: string): void
  feedEnded(feed: Feed): void
  /** The feed has told all that was before its snapshot. */
  caughtUp(feed: Feed): void
}

/**
 * One wire subscription that many members listen to, and that is taken again, from where it was, with each
 * process of the sidecar.
 *
 * Members come with `join`, and the feed ends when the last one leaves.
 */
export class Feed {
  private readonly members = new Set<FeedMember>()
  /** Members that have not had their `begin`. */
  private readonly newcomers = new Set<FeedMember>()
  private subscription: string | null = null
  private asking = false
  private ended = false
  /** Everything up to here was told: where to go on after a restart. Null before the first subscription. */
  private cursor: number | null
  /** The head of the log when the subscription was taken: the statuses of that answer include all up to it. */
  private head = 0
  /** The last change of the ids up to `head`; when the cursor is there, everything up to `head` was told. */
  private lastBeforeHead = 0

  constructor(
    readonly key: string,
    readonly filter: FeedFilter,
    private readonly environment: FeedEnvironment,
    /** Where the first member left off, until the feed has begun there. */
    private resumeAfter: number | null
  ) {
    this.cursor = resumeAfter
    if (filter.ids) environment.cache.cover(filter.ids)
  }

  /** Whether changes are being told. */
  get isLive(): boolean {
    return this.subscription !== null
  }

  /** The seq up to which everything was told. */
  get position(): number {
    return this.cursor ?? 0
  }

  get isEmpty(): boolean {
    return this.members.size === 0
  }

  /** The seq up to which a member that joins now needs no change, as the statuses include it. */
  get snapshotSeq(): number {
    return Math.max(this.head, this.position)
  }

  /** A member that joins: it gets `begin` with the next snapshot, unless it has what it needs. */
  join(member: FeedMember, hasBegun: boolean): void {
    this.members.add(member)
    member.feed = this
    if (!hasBegun) this.newcomers.add(member)
  }

  leave(member: FeedMember): void {
    this.members.delete(member)
    this.newcomers.delete(member)
    member.feed = null
    if (this.isEmpty) this.end()
  }

  /** Hands the members over to a feed that has told exactly as much. */
  mergeInto(other: Feed): void {
    for (const member of this.members) other.join(member, !this.newcomers.has(member))
    this.members.clear()
    this.end()
  }

  /** Takes the subscription, if a process answers; else that is done as soon as one does. */
  subscribe(): void {
    const { supervisor } = this.environment
    if (this.ended || this.asking || this.isLive || !supervisor.isReady) return
    this.asking = true
    const params: SubscribeParams = {
      ...(this.filter.ids && { ids: this.filter.ids }),
      ...(this.filter.states && { states: this.filter.states }),
      ...(this.cursor !== null && { afterSeq: this.cursor })
    }
    supervisor
      .request('subscribe', params, {
        perProcess: true,
        first: true,
        // Not in a promise: the changes that follow are handled before a promise would be.
        onResult: (answer: Subscribed) => this.begin(answer),
        onError: (error) => this.fail(error)
      })
      .catch(() => undefined)
  }

  /** The process is gone. */
  down(): void {
    this.asking = false
    this.setSubscription(null)
  }

  fail(error: RenderStateError): void {
    const members = [...this.members]
    this.members.clear()
    this.end()
    for (const member of members) {
      member.feed = null
      member.fail(error)
    }
  }

  take({ change, skipped }: StatusNotification): void {
    if (change.seq <= this.position) return
    this.cursor = change.seq
    this.environment.cache.apply(change)
    for (const member of [...this.members]) member.change(change, skipped)
    this.checkCaughtUp()
  }

  private begin(answer: Subscribed): void {
    this.asking = false
    if (this.ended) {
      this.environment.supervisor.notify('unsubscribe', { subscription: answer.subscription })
      return
    }
    const { cache } = this.environment
    for (const status of answer.statuses) answer.gap ? cache.replace(status) : cache.put(status)
    this.head = answer.seq
    this.lastBeforeHead = this.filter.ids ? Math.max(0, ...answer.statuses.map((status) => status.seq)) : Infinity
    if (answer.gap || this.cursor === null) {
      this.cursor = answer.seq
      this.lastBeforeHead = 0
    }
    this.setSubscription(answer.subscription)
    // Who resumes has its changes after this; who comes anew has them in the statuses.
    const seq = this.resumeAfter !== null ? this.position : this.snapshotSeq
    for (const member of [...this.members]) {
      if (this.newcomers.has(member) || answer.gap) member.begin(seq, answer.statuses, answer.gap)
    }
    this.newcomers.clear()
    this.resumeAfter = null
    this.checkCaughtUp()
  }

  private checkCaughtUp(): void {
    if (this.ended || this.position < this.lastBeforeHead) return
    this.cursor = this.snapshotSeq
    this.environment.caughtUp(this)
  }

  private setSubscription(subscription: string | null): void {
    const { cache } = this.environment
    if (this.subscription !== null) {
      this.environment.unroute(this.subscription)
      if (this.filter.ids) cache.setLive(this.filter.ids, false)
    }
    this.subscription = subscription
    if (subscription !== null) {
      this.environment.route(subscription, this)
      if (this.filter.ids) cache.setLive(this.filter.ids, true)
    }
  }

  private end(): void {
    if (this.ended) return
    this.ended = true
    if (this.subscription !== null) {
      this.environment.supervisor.notify('unsubscribe', { subscription: this.subscription })
    }
    this.setSubscription(null)
    if (this.filter.ids) this.environment.cache.uncover(this.filter.ids)
    this.environment.feedEnded(this)
  }
}
