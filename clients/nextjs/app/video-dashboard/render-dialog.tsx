'use client'
import { useEffect, useRef, useState } from 'react'
import type { DashboardRender } from 'renderstate/next'
import { isActiveState } from '@/lib/services/video-render-state-machine'
import { ProgressBar } from '../patch-notes/[id]/progress-bar'
import { useVideoActions } from '../patch-notes/[id]/use-video-actions'
import type { VideoAction } from '../patch-notes/[id]/use-video-actions'
import { useVideoHistory, VideoHistory } from '../patch-notes/[id]/video-history'
import { groupText } from './groups'
import type { Group } from './groups'

export interface RenderDialogProps {
  readonly render: DashboardRender
  readonly group: Group
  readonly when: string
  readonly onClose: () => void
}

/** What has happened to a render, and what may be done with it. */
export function RenderDialog({ render, group, when, onClose }: RenderDialogProps) {
  const { id, status, progress, run, attempt, updatedAt, videoUrl } = render
  const dialog = useRef<HTMLDialogElement>(null)
  const { send, isSending, sent, notice } = useVideoActions(id)
  // Read anew with each state, and not with each progress.
  const history = useVideoHistory(id, [status, run, attempt, sent].join())
  const allowed = useAllowedActions(id)
  const isActive = isActiveState(status)
  // Of the attempt before, until the history of this one is there.
  const last = history.changes.at(-1)
  const error = status === 'failed' ? (last?.to === 'failed' ? last.error : undefined) ?? render.error : undefined

  useEffect(() => {
    dialog.current?.showModal()
  }, [])

  const act = (action: VideoAction, text: string) => (
    <button key={action} type="button" className="video-render-primary" disabled={isSending} onClick={() => send(action)}>
      {text}
    </button>
  )
  return (
    <dialog
      ref={dialog}
      className="dashboard-dialog"
      aria-labelledby="dashboard-dialog-title"
      onClose={onClose}
      // A click beside it.
      onClick={({ target }) => target === dialog.current && dialog.current?.close()}
    >
      <div className="dashboard-dialog-inside">
        <header>
          <h2 id="dashboard-dialog-title">{id}</h2>
          <button type="button" className="dashboard-close" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </header>
        <p className="dashboard-dialog-state" data-group={group} role="status">
          {group === 'stuck' ? `Stuck, ${status}` : groupText[group]}
          <span className="dashboard-attempt">
            {' '}
            run {run}, attempt {attempt}
          </span>
        </p>
        {isActive && <ProgressBar progress={status === 'queued' ? null : progress} />}
        {error !== undefined && <p className="video-render-error">{error}</p>}
        <div className="video-render-actions">
          {isActive && allowed?.includes('cancel') && act('cancel-video', 'Cancel')}
          {!isActive && allowed?.includes('regenerate') && act('regenerate-video', status === 'failed' ? 'Try again' : 'Render again')}
          {videoUrl !== undefined && <a href={videoUrl}>Watch the video</a>}
          <a href={`/patch-notes/${encodeURIComponent(id)}`}>Its page</a>
          <p className="video-render-notice" role="alert">
            {notice}
          </p>
        </div>
        <p className="dashboard-attempt">
          Last event{' '}
          <time dateTime={updatedAt} title={updatedAt}>
            {when}
          </time>
        </p>
        <VideoHistory {...history} />
      </div>
    </dialog>
  )
}

/** What authorize lets the user do with the render; null until that is known. */
function useAllowedActions(id: string): readonly string[] | null {
  const [allowed, setAllowed] = useState<readonly string[] | null>(null)
  useEffect(() => {
    const abort = new AbortController()
    readActions(id, abort.signal).then(
      (actions) => abort.signal.aborted || setAllowed(actions),
      // Then the routes say it.
      () => abort.signal.aborted || setAllowed(['regenerate', 'cancel'])
    )
    return () => abort.abort()
  }, [id])
  return allowed
}

async function readActions(id: string, signal: AbortSignal): Promise<readonly string[]> {
  const response = await fetch(`/api/patch-notes/${encodeURIComponent(id)}/video-actions`, { signal, cache: 'no-store' })
  if (!response.ok) throw new Error(`the actions: ${response.status}`)
  const answer: { actions: string[] } = await response.json()
  return answer.actions
}
