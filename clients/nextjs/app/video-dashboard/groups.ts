import type { DashboardRender } from 'renderstate/next'
import { isActiveState } from '@/lib/services/video-render-state-machine'

/** Where a render is shown: by its state, but the active ones without an event for too long are stuck. */
export type Group = 'stuck' | 'rendering' | 'queued' | 'failed' | 'completed'

/** In the order in which they are shown. */
export const groups: readonly Group[] = ['stuck', 'rendering', 'queued', 'failed', 'completed']

export const groupText: { readonly [group in Group]: string } = {
  stuck: 'Stuck',
  rendering: 'Rendering',
  queued: 'Queued',
  failed: 'Failed',
  completed: 'Completed'
}

/** The renders of each group. Those of one do not change places while they are at work. */
export function grouped(renders: Iterable<DashboardRender>, now: number, stuckMs: number): { readonly [group in Group]: DashboardRender[] } {
  const found: { [group in Group]: DashboardRender[] } = { stuck: [], rendering: [], queued: [], failed: [], completed: [] }
  for (const render of renders) {
    const group = groupOf(render, now, stuckMs)
    if (group !== null) found[group].push(render)
  }
  // Who waits the longest comes first, and what has ended last.
  found.stuck.sort(by('updatedAt'))
  found.queued.sort(by('updatedAt'))
  found.rendering.sort(by('createdAt'))
  found.failed.sort(by('updatedAt')).reverse()
  found.completed.sort(by('updatedAt')).reverse()
  return found
}

export function groupOf({ status, updatedAt }: DashboardRender, now: number, stuckMs: number): Group | null {
  if (status === 'idle') return null
  return isActiveState(status) && now - Date.parse(updatedAt) > stuckMs ? 'stuck' : status
}

function by(time: 'createdAt' | 'updatedAt') {
  return (one: DashboardRender, other: DashboardRender) => (one[time] < other[time] ? -1 : one[time] > other[time] ? 1 : one.id < other.id ? -1 : 1)
}

/** How long ago that was, such as `3 min ago`. */
export function ago(at: string, now: number): string {
  const seconds = Math.floor((now - Date.parse(at)) / 1000)
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} d ago`
}
