export interface PauseOptions {
  /** Between two looks at one render. 2,000 if absent. */
  readonly intervalMs?: number | undefined
  /** What is added to every pause at random, at most, as a part of it. 0.25 if absent. */
  readonly jitter?: number | undefined
  /** The longest pause after errors and throttling; each is twice the one before. 30,000 if absent. */
  readonly maxPauseMs?: number | undefined
}

/** What is added at random to a pause of that length. */
export function spread(ms: number, { jitter = 0.25 }: PauseOptions): number {
  return ms * jitter * Math.random()
}

/** The pause after so many failures in a row. */
export function backoff(failures: number, options: PauseOptions): number {
  const { intervalMs = 2000, maxPauseMs = 30_000 } = options
  const pause = Math.min(maxPauseMs, intervalMs * 2 ** Math.min(failures, 30))
  return pause + spread(pause, options)
}
