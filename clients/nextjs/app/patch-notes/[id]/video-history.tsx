'use client'
import { useEffect, useState } from 'react'
import type { ChangeAnswer } from 'renderstate/next'

export interface VideoHistoryResult {
  readonly changes: readonly ChangeAnswer[]
  /** Whether it could not be read the last time. */
  readonly isMissing: boolean
}

/** The history of the render, oldest first; read anew when `version` changes. */
export function useVideoHistory(id: string, version: string): VideoHistoryResult {
  const [result, setResult] = useState<VideoHistoryResult>({ changes: [], isMissing: false })
  useEffect(() => {
    const abort = new AbortController()
    readHistory(id, abort.signal).then(
      (changes) => abort.signal.aborted || setResult({ changes, isMissing: false }),
      () => abort.signal.aborted || setResult(({ changes }) => ({ changes, isMissing: true }))
    )
    return () => abort.abort()
  }, [id, version])
  return result
}

/** Who did what with the render, newest first. */
export function VideoHistory({ changes, isMissing }: VideoHistoryResult) {
  if (!isMissing && changes.length === 0) return null
  return (
    <section className="video-history" aria-label="History">
      <h2>History</h2>
      {isMissing && <p>The history cannot be shown right now.</p>}
      <ol>
        {folded(changes)
          .reverse()
          .map(({ last, steps }) => (
            <li key={last.seq} data-event={last.event}>
              <time dateTime={last.at} title={last.at}>
                {timeText(new Date(last.at))}
              </time>
              <span className="video-history-event">
                {last.event}
                {steps > 1 && ` × ${steps}`}
              </span>
              <span className="video-history-states">
                {last.from} → {last.to}
                {last.event === 'progress' && ` ${Math.floor(last.progress)} %`}
              </span>
              <span className="video-history-actor">
                {last.actor ?? 'nobody named'}
                {last.event === 'start' && `, run ${last.run}, attempt ${last.attempt}`}
              </span>
            </li>
          ))}
      </ol>
    </section>
  )
}

async function readHistory(id: string, signal: AbortSignal): Promise<readonly ChangeAnswer[]> {
  const response = await fetch(`/api/patch-notes/${encodeURIComponent(id)}/video-history?limit=1000`, { signal, cache: 'no-store' })
  if (!response.ok) throw new Error(`the history: ${response.status}`)
  const page: { changes: ChangeAnswer[] } = await response.json()
  return page.changes
}

/** Steps of progress that follow one another in the same state are one line: its last one, and how many there were. */
function folded(changes: readonly ChangeAnswer[]): { last: ChangeAnswer; steps: number }[] {
  const lines: { last: ChangeAnswer; steps: number }[] = []
  for (const change of changes) {
    const line = lines.at(-1)
    if (line && isStep(line.last) && isStep(change) && line.last.actor === change.actor) {
      line.last = change
      line.steps++
    } else {
      lines.push({ last: change, steps: 1 })
    }
  }
  return lines
}

/** Of another day with its date. */
function timeText(time: Date): string {
  return time.toDateString() === new Date().toDateString() ? time.toLocaleTimeString() : time.toLocaleString()
}

function isStep({ event, from, to }: ChangeAnswer): boolean {
  return event === 'progress' && from === to
}
