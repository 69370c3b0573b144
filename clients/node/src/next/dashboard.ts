import type { RenderStateClient } from '../client.js'
import { closedError } from '../supervisor.js'
import type { WatchEvent } from '../watch.js'
import { ACTIVE_STATES, TERMINAL_STATES } from '../wire.generated.js'
import type { State, Status, StatusPage } from '../wire.generated.js'
import { dashboardRender } from './dashboard-answer.js'
import type { DashboardRender } from './dashboard-answer.js'

/** What a dashboard tells each of its viewers. */
export interface DashboardViewer {
  /** All renders have been read anew. */
  onReset(): void
  /** The render as it is now; null where it is shown no longer. */
  onRender(id: string, render: DashboardRender | null): void
  /** Nothing comes any more. */
  onEnd(): void
}

/** How many active renders are shown: those whose last event is the longest ago. */
const activeLimit = 2000
/** How many are shown of those that have ended, the newest ones. */
const endedLimits: { readonly [state: string]: number } = { failed: 200, completed: 50 }
/** The least time between two readings of all. */
const rereadMs = 10_000

/**
 * The renders that are queued or rendering, and those that have ended last, as they are and become.
 *
 * All viewers share one: it costs one subscription, and what it holds is bounded, however many renders there are. It is
 * read from the store once, and follows the log from there.
 */
export class Dashboard {
  private renders = new Map<string, { readonly render: DashboardRender; readonly seq: number }>()
  private hidden = new Set<State>()
  private readonly viewers = new Set<DashboardViewer>()
  private readonly watch: AsyncIterableIterator<WatchEvent>
  private readAt = 0
  private hasEnded = false

  /** Resolves when the renders are known, and rejects where they cannot be read. */
  static async open(client: RenderStateClient): Promise<Dashboard> {
    const dashboard = new Dashboard(client)
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown) => {
        reject(error)
        dashboard.end()
      }
      dashboard.follow(resolve).then(() => fail(closedError()), fail)
    })
    return dashboard
  }

  private constructor(private readonly client: RenderStateClient) {
    this.watch = client.watch({})
  }

  /** What is shown. */
  get all(): DashboardRender[] {
    return Array.from(this.renders.values(), ({ render }) => render)
  }

  /** The states of which there are more renders than are shown. */
  get more(): State[] {
    return [...this.hidden]
  }

  get isOver(): boolean {
    return this.hasEnded
  }

  /** Begins to tell a viewer what changes. */
  join(viewer: DashboardViewer): void {
    this.viewers.add(viewer)
  }

  leave(viewer: DashboardViewer): void {
    this.viewers.delete(viewer)
  }

  get hasViewers(): boolean {
    return this.viewers.size > 0
  }

  end(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    void this.watch.return?.()
    for (const viewer of [...this.viewers]) viewer.onEnd()
  }

  private async follow(onRead: () => void): Promise<void> {
    for await (const event of this.watch) {
      // What happens while all are read waits in the watch, and is taken afterwards.
      if (event.type === 'snapshot' || this.isDueToBeReread) {
        await this.read()
        onRead()
      }
      if (event.type === 'change') this.take(event.status)
    }
  }

  /** Whether there is room again for active renders that had none. */
  private get isDueToBeReread(): boolean {
    if (!ACTIVE_STATES.some((state) => this.hidden.has(state)) || performance.now() - this.readAt < rereadMs) return false
    return this.idsIn(ACTIVE_STATES).length < activeLimit
  }

  private async read(): Promise<void> {
    const hidden = new Set<State>()
    const found: Status[] = []
    for (const state of TERMINAL_STATES) {
      const { statuses, nextCursor } = await this.client.listStatuses({ states: [state], limit: endedLimits[state] ?? 1 })
      found.push(...statuses)
      if (nextCursor !== null) hidden.add(state)
    }
    let active: Status[] = []
    let cursor: string | null = null
    do {
      const page: StatusPage = await this.client.listStatuses({ states: ACTIVE_STATES, limit: 1000, cursor })
      active.push(...page.statuses)
      // They come with the newest first.
      for (const { state } of active.slice(0, -activeLimit)) hidden.add(state)
      active = active.slice(-activeLimit)
      cursor = page.nextCursor
    } while (cursor !== null)
    found.push(...active)
    found.sort((one, other) => one.seq - other.seq)
    // One that has changed meanwhile may have come twice: the newer one counts.
    this.renders = new Map(found.map((status) => [status.id, { render: dashboardRender(status), seq: status.seq }]))
    this.hidden = hidden
    this.readAt = performance.now()
    for (const viewer of this.viewers) viewer.onReset()
  }

  private take(status: Status): void {
    const { id, state, seq } = status
    const known = this.renders.get(id)
    if (known && known.seq >= seq) return
    const isActive = ACTIVE_STATES.includes(state)
    const wasActive = known !== undefined && ACTIVE_STATES.includes(known.render.status)
    if (isActive && !wasActive && this.idsIn(ACTIVE_STATES).length >= activeLimit) {
      this.hidden.add(state)
      if (known) this.remove(id)
      return
    }
    const render = dashboardRender(status)
    this.renders.set(id, { render, seq })
    for (const viewer of this.viewers) viewer.onRender(id, render)
    if (isActive) return
    for (const older of this.idsIn([state]).slice(0, -(endedLimits[state] ?? 1))) {
      this.hidden.add(state)
      this.remove(older)
    }
  }

  private remove(id: string): void {
    this.renders.delete(id)
    for (const viewer of this.viewers) viewer.onRender(id, null)
  }

  /** Those that have changed last behind the others. */
  private idsIn(states: readonly State[]): string[] {
    const found = [...this.renders.values()].filter(({ render }) => states.includes(render.status))
    return found.sort((one, other) => one.seq - other.seq).map(({ render }) => render.id)
  }
}
