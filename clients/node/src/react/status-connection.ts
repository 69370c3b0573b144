import type { StatusAnswer } from '../next/status-answer.js'
import { ACTIVE_STATES, TERMINAL_STATES } from '../wire.generated.js'
import type { State } from '../wire.generated.js'
import { Listeners, isHidden, pause, refusal, restarted } from './connecting.js'

/**
 * How the status gets here. `connecting`: not yet, or not at the moment; `live`: pushed; `polling`: asked for, because
 * the stream is blocked or there is none; `ended`: the render is over, and nothing is asked any more; `refused`: the
 * server does not show this render, and is not asked again by itself.
 */
export type VideoRenderConnection = 'connecting' | 'live' | 'polling' | 'ended' | 'refused'

export interface VideoRenderStatus {
  /** Null until it is known. */
  readonly status: State | null
  /** 0 to 100. */
  readonly progress: number
  readonly videoUrl: string | null
  /** Why the render has failed; with `refused` why it is not shown. */
  readonly error: string | null
  readonly connection: VideoRenderConnection
}

export interface StatusUrls {
  /** Answers with Server-sent events. */
  readonly stream: string
  /** Answers with JSON. */
  readonly status: string
}

const states: readonly State[] = ['idle', ...ACTIVE_STATES, ...TERMINAL_STATES]

/** How long a new stream may take for its first event. A proxy that gathers answers lets none through. */
const firstEventMs = 5_000
/** How long the browser may take to connect again. */
const reconnectMs = 15_000
/** After how long without a sign of life a stream is opened anew. Longer than the server lets one live. */
const longestSilenceMs = 300_000
/** After how long without one it is opened anew when the user comes back. */
const doubtfulSilenceMs = 30_000
/** The pauses between tries of a blocked stream. */
const streamPauses = { shortestMs: 15_000, longestMs: 300_000, factor: 2 }
/** The pauses between polls, which grow while these tell nothing new. */
const pollPauses = { shortestMs: 2_000, longestMs: 30_000, factor: 1.5 }
/** After how long a poll without an answer is given up. */
const pollTimeoutMs = 15_000
/** The longest `Retry-After` that is believed. */
const longestRetryAfterMs = 300_000

/**
 * Follows the status of one render: by Server-sent events, else by polling. It begins with the first listener, stops with
 * the last, and touches nothing of the browser before that.
 */
export class StatusConnection {
  private state: VideoRenderStatus
  private readonly listeners = new Listeners({
    start: () => {
      this.update({ connection: 'connecting' })
      this.open()
    },
    stop: () => this.closeAll(),
    hasReturned: () => this.hasReturned()
  })

  private source: EventSource | null = null
  /** Whether the stream has told something: then `open` alone says that it works. */
  private sourceHasTold = false
  private lastSignAt = 0
  /** How often in a row the stream could not be had. */
  private streamFailures = 0
  private poll: AbortController | null = null
  /** How many polls in a row have told nothing new. */
  private fruitlessPolls = 0
  private noPollBefore = 0
  private streamTimer: ReturnType<typeof setTimeout> | undefined
  private pollTimer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly urls: StatusUrls,
    initial?: StatusAnswer | undefined
  ) {
    const { status = null, progress = 0, videoUrl = null, error = null } = initial ?? {}
    this.state = { status, progress, videoUrl, error, connection: 'connecting' }
  }

  /** The status as it is known now: the same object until something changes. */
  readonly getSnapshot = (): VideoRenderStatus => this.state

  /** Calls the listener after each change. Returns what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => this.listeners.subscribe(listener)

  /** Asks anew, also after the end: for when a new run has been begun, or the user has signed in. */
  readonly refresh = (): void => {
    if (!this.listeners.isStarted) return
    this.fruitlessPolls = 0
    const isRefused = this.state.connection === 'refused'
    this.update({ connection: 'connecting', ...(isRefused && { error: null }) })
    this.open()
  }

  private hasReturned(): void {
    if (isHidden()) {
      this.stopPolling()
      return
    }
    // Of a stream that is silent for long nobody tells that the network below it has gone. Without a stream either the
    // server does not let it through, or the render is over, and another page may have begun a new run.
    const isFollowed = this.source === null ? this.poll !== null : Date.now() - this.lastSignAt < doubtfulSilenceMs
    if (!isFollowed) this.open()
  }

  /** Opens the stream anew; polls as well where the stream was blocked the last time. */
  private open(): void {
    this.closeAll()
    if (this.streamFailures > 0) this.pollNow()
    this.openStream()
  }

  private closeAll(): void {
    this.closeStream()
    this.stopPolling()
  }

  private openStream(): void {
    this.closeStream()
    if (typeof EventSource === 'undefined') {
      this.streamHasFailed()
      return
    }
    const source = new EventSource(this.urls.stream)
    this.source = source
    this.sourceHasTold = false
    this.lastSignAt = Date.now()
    source.addEventListener('status', ({ data }: MessageEvent<string>) => {
      const answer = parsed(data)
      if (this.source !== source || answer === null) return
      this.sourceHasTold = true
      this.streamIsAlive()
      this.take(answer, 'live')
    })
    source.addEventListener('end', () => {
      if (this.source === source) this.end()
    })
    source.addEventListener('open', () => {
      // After a pause of the connection the server tells what has changed, which may be nothing.
      if (this.source !== source || !this.sourceHasTold) return
      this.streamIsAlive()
      this.update({ connection: 'live' })
    })
    source.addEventListener('error', () => {
      if (this.source !== source) return
      if (source.readyState === source.CLOSED) {
        // For good: by an answer that is no stream, such as a 503. The poll will tell which.
        this.streamHasFailed()
      } else if (this.state.connection === 'live') {
        this.update({ connection: 'connecting' })
        this.streamTimer = restarted(this.streamTimer, () => this.streamHasFailed(), reconnectMs)
      }
    })
    this.streamTimer = setTimeout(() => this.streamHasFailed(), firstEventMs)
  }

  private closeStream(): void {
    clearTimeout(this.streamTimer)
    this.streamTimer = undefined
    this.source?.close()
    this.source = null
  }

  private streamIsAlive(): void {
    this.lastSignAt = Date.now()
    this.streamFailures = 0
    this.fruitlessPolls = 0
    // Also the poll under way: its answer may be older than what was pushed.
    this.stopPolling()
    this.streamTimer = restarted(this.streamTimer, () => this.open(), longestSilenceMs)
  }

  private streamHasFailed(): void {
    this.closeStream()
    this.streamFailures++
    // Otherwise it is a second look, and the first one holds until there is an answer.
    if (['connecting', 'live'].includes(this.state.connection)) this.update({ connection: 'polling' })
    if (this.poll === null && this.pollTimer === undefined) this.pollNow()
    if (typeof EventSource === 'undefined') return
    this.streamTimer = setTimeout(() => {
      // A page that nobody sees tries again when it is looked at.
      if (!isHidden()) this.openStream()
    }, pause(streamPauses, this.streamFailures - 1))
  }

  private stopPolling(): void {
    clearTimeout(this.pollTimer)
    this.pollTimer = undefined
    this.poll?.abort()
    this.poll = null
  }

  private pollNow(): void {
    this.stopPolling()
    if (isHidden()) return
    // Not longer, also if the clock was set back meanwhile.
    const waitMs = Math.min(this.noPollBefore - Date.now(), longestRetryAfterMs)
    if (waitMs > 0) {
      this.pollTimer = setTimeout(() => this.pollNow(), waitMs)
      return
    }
    const poll = new AbortController()
    this.poll = poll
    const timeout = setTimeout(() => poll.abort(), pollTimeoutMs)
    void ask(this.urls.status, poll.signal).then((result) => {
      clearTimeout(timeout)
      // Overtaken by an event, another poll or the end.
      if (this.poll !== poll) return
      this.poll = null
      this.takeResult(result)
    })
  }

  private takeResult(result: PollResult): void {
    if (result.type === 'refused') {
      this.closeAll()
      this.update({ connection: 'refused', error: result.error })
      return
    }
    const { status, progress } = this.state
    if (result.type === 'answer') {
      this.take(result.answer, 'polling')
      if (isOver(result.answer)) return
    } else {
      this.noPollBefore = Date.now() + result.retryAfterMs
    }
    const isNew = this.state.status !== status || this.state.progress !== progress
    this.fruitlessPolls = isNew ? 0 : this.fruitlessPolls + 1
    this.pollTimer = setTimeout(() => this.pollNow(), pause(pollPauses, this.fruitlessPolls))
  }

  private take(answer: StatusAnswer, connection: 'live' | 'polling'): void {
    const { status, progress, videoUrl = null, error = null } = answer
    if (isOver(answer)) this.closeAll()
    this.update({ status, progress, videoUrl, error, connection: isOver(answer) ? 'ended' : connection })
  }

  private end(): void {
    this.closeAll()
    this.update({ connection: 'ended' })
  }

  private update(changes: Partial<VideoRenderStatus>): void {
    const next = { ...this.state, ...changes }
    const keys = Object.keys(next) as (keyof VideoRenderStatus)[]
    if (keys.every((key) => next[key] === this.state[key])) return
    this.state = next
    this.listeners.tell()
  }
}

type PollResult =
  | { readonly type: 'answer'; readonly answer: StatusAnswer }
  | { readonly type: 'refused'; readonly error: string }
  | { readonly type: 'nothing'; readonly retryAfterMs: number }

async function ask(url: string, signal: AbortSignal): Promise<PollResult> {
  try {
    const response = await fetch(url, { signal, cache: 'no-store', headers: { Accept: 'application/json' } })
    if (response.ok) {
      const answer = parsed(await response.text())
      return answer === null ? nothing : { type: 'answer', answer }
    }
    const error = refusalOf(response.status)
    return error === null ? { type: 'nothing', retryAfterMs: retryAfterMs(response) } : { type: 'refused', error }
  } catch {
    return nothing
  }
}

const nothing: PollResult = { type: 'nothing', retryAfterMs: 0 }

/** Null for an answer that may be another one later. */
function refusalOf(status: number): string | null {
  if (status === 400) return 'There can be no render of this id.'
  if (status === 404) return 'There is no such render.'
  return refusal(status, 'this render')
}

/** The header is a number of seconds or a date. */
function retryAfterMs(response: Response): number {
  const given = response.headers.get('Retry-After') ?? ''
  const ms = /^[0-9]+$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now()
  return ms > 0 ? Math.min(ms, longestRetryAfterMs) : 0
}

/** Null for what is no answer, such as the page of a proxy. */
function parsed(text: string): StatusAnswer | null {
  try {
    const { status, progress, videoUrl, error } = JSON.parse(text)
    if (!states.includes(status) || !Number.isFinite(progress)) return null
    return {
      status,
      progress: Math.min(Math.max(progress, 0), 100),
      ...(typeof videoUrl === 'string' && { videoUrl }),
      ...(typeof error === 'string' && { error })
    }
  } catch {
    return null
  }
}

function isOver({ status }: StatusAnswer): boolean {
  return TERMINAL_STATES.includes(status)
}
