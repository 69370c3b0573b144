import type { RenderStateClient } from '../client.js'
import { RenderStateError } from '../errors.js'
import { Dashboard } from './dashboard.js'
import type { DashboardViewer } from './dashboard.js'
import type { DashboardChanges, DashboardRender, DashboardSnapshot } from './dashboard-answer.js'
import { defaultHeartbeatMs, eventStream, eventStreamHead } from './event-stream.js'
import type { EventStreamOptions, EventStreamSource } from './event-stream.js'
import { operatorRoute } from './operator-route.js'
import type { OperatorRouteOptions } from './operator-route.js'

export interface DashboardStreamRouteOptions extends OperatorRouteOptions, EventStreamOptions {
  /** After how many milliseconds without an event an active render counts as stuck. 10 minutes. */
  readonly stuckMs?: number | undefined
}

/** Changes are gathered for so long: a browser need not draw oftener. */
const gatherMs = 250
/** If the changes of more renders wait for a viewer, it is told all renders anew. */
const mostWaiting = 3000

/**
 * GET: what is queued, what is rendering, and what has failed or completed last, of all renders, as Server-sent events: `renders`
 * with a `DashboardSnapshot`, then `changes` with `DashboardChanges`, and `alive` as the heartbeat. It never ends by itself. For a
 * folder without `[id]`.
 */
export function createDashboardStreamRoute(options: DashboardStreamRouteOptions): (request: Request) => Promise<Response> {
  const { stuckMs = 600_000, heartbeatMs = defaultHeartbeatMs } = options
  if (typeof stuckMs !== 'number' || !(stuckMs > 0)) throw new RenderStateError('configuration', 'stuckMs is a number of milliseconds above 0')
  /** The one dashboard of all viewers, from the first to the last. */
  let shared: Promise<Dashboard> | null = null

  /** Returns the dashboard, and what the viewer has to call when it goes. */
  const join = async (client: RenderStateClient, viewer: DashboardViewer): Promise<[Dashboard, () => void]> => {
    const opening = (shared ??= Dashboard.open(client))
    const forget = () => {
      if (shared === opening) shared = null
    }
    const dashboard = await opening.catch((error: unknown) => {
      forget()
      throw error
    })
    // The last viewer has just gone, or the sidecar was given up.
    if (dashboard.isOver) {
      forget()
      return join(client, viewer)
    }
    dashboard.join(viewer)
    const leave = () => {
      dashboard.leave(viewer)
      if (dashboard.hasViewers) return
      dashboard.end()
      forget()
    }
    return [dashboard, leave]
  }

  return operatorRoute('dashboard', options, async (client, request) => {
    if (request.method === 'HEAD') return eventStreamHead()
    const news = new DashboardNews({ stuckMs, heartbeatMs })
    news.begin(...(await join(client, news)))
    return eventStream(request, news, options)
  })
}

/** What one viewer has not been told yet: of each render its latest status only. */
class DashboardNews implements DashboardViewer, EventStreamSource {
  readonly heartbeat = 'event: alive\ndata: {}\n\n'
  readonly isOver = false
  private dashboard: Dashboard | null = null
  private isNew = true
  private waiting = new Map<string, DashboardRender | null>()
  private gathering: NodeJS.Timeout | undefined
  private tell: () => void = () => undefined
  private end: () => void = () => undefined
  private leave: () => void = () => undefined

  constructor(private readonly constants: Pick<DashboardSnapshot, 'stuckMs' | 'heartbeatMs'>) {}

  begin(dashboard: Dashboard, leave: () => void): void {
    this.dashboard = dashboard
    this.leave = leave
  }

  listen(onNews: () => void, onEnd: () => void): () => void {
    this.tell = onNews
    this.end = onEnd
    if (this.dashboard?.isOver) onEnd()
    return () => {
      clearTimeout(this.gathering)
      this.leave()
    }
  }

  onReset(): void {
    this.isNew = true
    this.gather()
  }

  onRender(id: string, render: DashboardRender | null): void {
    if (this.isNew) return
    this.waiting.set(id, render)
    // Of a viewer that takes nothing.
    if (this.waiting.size > mostWaiting) {
      this.waiting.clear()
      this.isNew = true
    }
    this.gather()
  }

  onEnd(): void {
    this.end()
  }

  drain(): string {
    if (this.dashboard === null || (!this.isNew && this.waiting.size === 0)) return ''
    const at = new Date().toISOString()
    const { all, more } = this.dashboard
    const told = [...this.waiting]
    this.waiting.clear()
    if (this.isNew) {
      this.isNew = false
      const snapshot: DashboardSnapshot = { at, renders: all, more, ...this.constants }
      return event('renders', snapshot)
    }
    const changes: DashboardChanges = {
      at,
      renders: told.flatMap(([, render]) => render ?? []),
      gone: told.flatMap(([id, render]) => (render === null ? id : [])),
      more
    }
    return event('changes', changes)
  }

  private gather(): void {
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined
      this.tell()
    }, gatherMs).unref()
  }
}

function event(name: string, data: object): string {
  // JSON has no line breaks and no NUL of its own, and those in strings are escaped.
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
