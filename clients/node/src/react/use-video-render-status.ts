'use client'
import { useMemo, useSyncExternalStore } from 'react'
import type { StatusAnswer } from '../next/status-answer.js'
import { StatusConnection } from './status-connection.js'
import type { VideoRenderStatus } from './status-connection.js'

export interface UseVideoRenderStatusOptions {
  /** Where the routes of the renders are: below it `ID/video-status-stream` and `ID/video-status`. `/api/patch-notes`. */
  readonly basePath?: string | undefined
  /** The status as the server knew it when it made the page. Only the first one of an id counts. */
  readonly initial?: StatusAnswer | undefined
}

export interface UseVideoRenderStatusResult extends VideoRenderStatus {
  /** Asks anew, also after the end: call it after a new run has been begun. The same function as long as the id is. */
  readonly refresh: () => void
}

/**
 * The status of a render, as it is and becomes: pushed by `createStatusStreamRoute`, and where that is blocked asked for
 * from `createStatusRoute`. Stops when the render is over; looks again when the user comes back to the page.
 *
 * Each call has a connection of its own: call it once per render, and hand on what it returns.
 */
export function useVideoRenderStatus(
  id: string,
  { basePath = '/api/patch-notes', initial }: UseVideoRenderStatusOptions = {}
): UseVideoRenderStatusResult {
  const connection = useMemo(() => {
    const url = `${basePath}/${encodeURIComponent(id)}`
    return new StatusConnection({ stream: `${url}/video-status-stream`, status: `${url}/video-status` }, initial)
  }, [basePath, id])
  const status = useSyncExternalStore(connection.subscribe, connection.getSnapshot, connection.getSnapshot)
  return { ...status, refresh: connection.refresh }
}
