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
