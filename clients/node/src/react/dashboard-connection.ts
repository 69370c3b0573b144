import type { DashboardChanges, DashboardRender, DashboardSnapshot } from '../next/dashboard-answer.js'
import type { State } from '../wire.generated.js'
import { Listeners, isHidden, pause, refusal, restarted } from './connecting.js'

/**
 * How the dashboard gets here. `connecting`: for the first time; `live`: pushed; `lost`: what is known may be out of date, and
 * it is tried again; `refused`: the server does not show it, and is not asked again by itself.
 */
export type DashboardConnectionState = 'connecting' | 'live' | 'lost' | 'refused'

export interface VideoDashboard {
  /** The renders by their id, in no order; null until they are known. The object of one that has not changed stays the same. */
  readonly renders: ReadonlyMap<string, DashboardRender> | null
  /** The states of which there are more renders than these. */
  readonly more: readonly State[]
  /** After how long without an event an active render counts as stuck. */
  readonly stuckMs: number
  /** What has to be added to the time of this device to have the server's, in milliseconds. */
  readonly clockSkewMs: number
  readonly connection: DashboardConnectionState
  /** With `refused` why it is not shown. */
  readonly error: string | null
}

/** How long the browser may take to connect again before the page says so. */
const reconnectMs = 5_000
/** How long the first answer may take. */
const firstAnswerMs = 15_000
/** The pauses between tries of a stream that the browser has given up. */
const pauses = { shortestMs: 1_000, longestMs: 30_000, factor: 2 }

/**
 * Follows a dashboard by Server-sent events. It begins with the first listener, stops with the last, and touches nothing of the
 * browser before that.
 */
export class DashboardConnection {
  private state: VideoDashboard = {
    renders: null,
    more: [],
    stuckMs: Infinity,
    clockSkewMs: 0,
    connection: 'connecting',
    error: null
  }
  private readonly listeners = new Listeners({
    start: () => this.open(),
    stop: () => this.close(),
    hasReturned: () => this.hasReturned()
  })
  private source: EventSource | null = null
  private failures = 0
  private lastSignAt = 0
  private longestSilenceMs = firstAnswerMs
  /** Tries again when the stream is silent for too long, or after a pause. */
  private timer: ReturnType<typeof setTimeout> | undefined
  private graceTimer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly url: string) {}

  /** The dashboard as it is known now: the same object until something changes. */
  readonly getSnapshot = (): VideoDashboard => this.state

  /** Calls the listener after each change. Returns what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => this.listeners.subscribe(listener)

  /** Asks anew: for when the user has signed in, or does not want to wait. */
  readonly refresh = (): void => {
    if (!this.listeners.isStarted) return
    if (this.state.connection === 'refused') this.update({ connection: 'connecting', error: null })
    this.open()
  }

  /** Of a stream that was silent while the device slept nobody tells that the network below it has gone. */
  private hasReturned(): void {
    if (isHidden() || this.state.connection === 'refused') return
    if (this.source === null || Date.now() - this.lastSignAt > this.longestSilenceMs) this.open()
  }

  private open(): void {
    this.close()
    const source = new EventSource(this.url)
    this.source = source
    const on = <Data>(type: string, take: (data: Data) => void) => {
      source.addEventListener(type, (event: MessageEvent<string>) => {
        if (this.source !== source) return
        take(JSON.parse(event.data))
        this.isAlive()
      })
    }
    on<DashboardSnapshot>('renders', ({ at, renders, more, stuckMs, heartbeatMs }) => {
      this.longestSilenceMs = Math.max(2.5 * heartbeatMs, firstAnswerMs)
      this.failures = 0
      const byId = new Map(renders.map((render) => [render.id, render]))
      this.update({ renders: byId, more, stuckMs, clockSkewMs: Date.parse(at) - Date.now(), connection: 'live' })
    })
    on<DashboardChanges>('changes', ({ at, renders, gone, more }) => {
      const byId = new Map(this.state.renders ?? [])
      for (const render of renders) byId.set(render.id, render)
      for (const id of gone) byId.delete(id)
      this.update({ renders: byId, more, clockSkewMs: Date.parse(at) - Date.now() })
    })
    on('alive', () => undefined)
    source.addEventListener('error', () => {
      if (this.source !== source) return
      // For good: by an answer that is no stream, such as a 403.
      if (source.readyState === source.CLOSED) void this.hasFailed()
      // The browser connects again by itself, as after the end of a stream's life.
      else this.graceTimer ??= setTimeout(() => this.isLost(), reconnectMs)
    })
    this.silenceIsBounded()
  }

  private close(): void {
    clearTimeout(this.timer)
    clearTimeout(this.graceTimer)
    this.graceTimer = undefined
    this.source?.close()
    this.source = null
  }

  private isAlive(): void {
    this.lastSignAt = Date.now()
    clearTimeout(this.graceTimer)
    this.graceTimer = undefined
    this.silenceIsBounded()
  }

  private silenceIsBounded(): void {
    this.timer = restarted(this.timer, () => {
      this.isLost()
      this.open()
    }, this.longestSilenceMs)
  }

  private isLost(): void {
    if (this.state.connection !== 'lost') this.update({ connection: 'lost' })
  }

  private async hasFailed(): Promise<void> {
    this.close()
    this.isLost()
    this.failures++
    this.timer = setTimeout(() => this.open(), pause(pauses, this.failures - 1))
    const { timer } = this
    const error = await this.reason()
    // Opened anew meanwhile.
    if (error === null || this.timer !== timer || !this.listeners.isStarted) return
    this.close()
    this.update({ connection: 'refused', error })
  }

  /** Why the server refuses the stream for good; null where it may show it later. */
  private async reason(): Promise<string | null> {
    try {
      const { status } = await fetch(this.url, { method: 'HEAD', cache: 'no-store' })
      return refusal(status, 'the dashboard')
    } catch {
      return null
    }
  }

  private update(changes: Partial<VideoDashboard>): void {
    this.state = { ...this.state, ...changes }
    this.listeners.tell()
  }
}
