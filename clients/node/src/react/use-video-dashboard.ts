'use client'
import { useMemo, useSyncExternalStore } from 'react'
import { DashboardConnection } from './dashboard-connection.js'
import type { VideoDashboard } from './dashboard-connection.js'

export interface UseVideoDashboardOptions {
  /** Where the route of `createDashboardStreamRoute` is. `/api/patch-notes/video-dashboard-stream`. */
  readonly url?: string | undefined
}

export interface UseVideoDashboardResult extends VideoDashboard {
  /** Asks anew: for when the user has signed in, or does not want to wait. The same function as long as the URL is. */
  readonly refresh: () => void
}

/** All renders that are active or have ended last, as they are and become: pushed by `createDashboardStreamRoute`. */
export function useVideoDashboard({
  url = '/api/patch-notes/video-dashboard-stream'
}: UseVideoDashboardOptions = {}): UseVideoDashboardResult {
  const connection = useMemo(() => new DashboardConnection(url), [url])
  const dashboard = useSyncExternalStore(connection.subscribe, connection.getSnapshot, connection.getSnapshot)
  return { ...dashboard, refresh: connection.refresh }
}
