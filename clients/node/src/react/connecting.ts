// What the connections of the hooks have in common.

export interface Pauses {
  readonly shortestMs: number
  readonly longestMs: number
  readonly factor: number
}

/** Grows with each try, up to a limit, and is never the same for all viewers. */
export function pause({ shortestMs, longestMs, factor }: Pauses, tries: number): number {
  return Math.min(shortestMs * factor ** tries, longestMs) * (0.75 + Math.random() / 2)
}

export function restarted(timer: ReturnType<typeof setTimeout> | undefined, callback: () => void, ms: number) {
  clearTimeout(timer)
  return setTimeout(callback, ms)
}

export function isHidden(): boolean {
  return typeof document !== 'undefined' && document.visibilityState === 'hidden'
}

/** What an answer says that will not change by asking again, of `what` was asked for; null for the others. */
export function refusal(status: number, what: string): string | null {
  if (status < 400 || status > 499 || [408, 425, 429].includes(status)) return null
  switch (status) {
    case 401:
      return `You have to sign in to see ${what}.`
    case 403:
      return `You are not allowed to see ${what}.`
    default:
      return `The server does not show ${what} (${status}).`
  }
}

/** What a connection does for those who listen to it. */
export interface Listened {
  start(): void
  stop(): void
  /** The page was away, or is going. */
  hasReturned(): void
}

/** Those who listen to a connection, which begins with the first, stops with the last, and touches nothing of the browser before. */
export class Listeners {
  private readonly calls = new Set<() => void>()
  private started = false

  constructor(private readonly connection: Listened) {}

  get isStarted(): boolean {
    return this.started
  }

  /** Calls the listener after each change. Returns what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    // Of its own, so that the same function may listen twice.
    const call = () => listener()
    this.calls.add(call)
    // Later, so that a component which is mounted, unmounted and mounted at once connects once.
    queueMicrotask(() => {
      if (this.calls.size > 0 && !this.started) this.start()
    })
    return () => {
      this.calls.delete(call)
      if (this.calls.size === 0 && this.started) this.stop()
    }
  }

  tell(): void {
    for (const call of [...this.calls]) call()
  }

  private start(): void {
    this.started = true
    for (const [target, type] of returns()) target.addEventListener(type, this.hasReturned)
    this.connection.start()
  }

  private stop(): void {
    this.started = false
    for (const [target, type] of returns()) target.removeEventListener(type, this.hasReturned)
    this.connection.stop()
  }

  private readonly hasReturned = (): void => this.connection.hasReturned()
}

/** The events by which a page notices that it was away. */
function returns(): [EventTarget, string][] {
  if (typeof document === 'undefined') return []
  return [[document, 'visibilitychange'], [window, 'focus'], [window, 'online'], [window, 'pageshow']]
}
