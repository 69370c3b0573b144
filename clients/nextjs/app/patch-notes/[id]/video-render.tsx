'use client'
import './video-render.css'
import { useState } from 'react'
import { useVideoRenderStatus } from 'renderstate/react'
import type { UseVideoRenderStatusResult } from 'renderstate/react'
import { isActiveState } from '@/lib/services/video-render-state-machine'
import { useVideoHistory, VideoHistory } from './video-history'

const stateText = { idle: 'Not rendered yet', queued: 'Queued', rendering: 'Rendering', completed: 'Completed', failed: 'Failed' }
const connectionText = {
  connecting: 'Connecting…',
  live: 'Live',
  polling: 'Looking every few seconds',
  ended: '',
  refused: ''
}

/** A render as it is and becomes, what may be done with it, and what has happened to it. */
export function VideoRender({ id }: { readonly id: string }) {
  const render = useVideoRenderStatus(id)
  const { status, progress, videoUrl, error, connection } = render
  const { send, isSending, sent, notice } = useActions(id, render)
  // Read anew with each state, and not with each progress.
  const history = useVideoHistory(id, [status, videoUrl, error, sent].join())
  const attempt = history.changes.at(-1)?.attempt ?? 0

  if (connection === 'refused') {
    return (
      <div className="video-render-root">
        <p className="video-render-error" role="alert">
          {error}
        </p>
      </div>
    )
  }
  const isActive = status !== null && isActiveState(status)
  return (
    <div className="video-render-root">
      <section className="video-render" aria-label="Video" data-state={status ?? 'unknown'}>
        <div className="video-render-head">
          <p className="video-render-state" role="status">
            {status === null ? 'Looking…' : stateText[status]}
            {attempt > 1 && status !== 'completed' && <span className="video-render-attempt"> attempt {attempt}</span>}
          </p>
          <p className="video-render-connection" data-connection={connection}>
            {connectionText[connection]}
          </p>
        </div>
        {isActive && <ProgressBar progress={status === 'queued' ? null : progress} />}
        {status === 'completed' && videoUrl !== null && <video key={videoUrl} src={videoUrl} controls playsInline preload="metadata" />}
        {status === 'completed' && videoUrl === null && <p>There is no video.</p>}
        {error !== null && (
          <p className="video-render-error" role="alert">
            {error}
          </p>
        )}
        <div className="video-render-actions">
          {isActive ? (
            <button key="cancel" type="button" disabled={isSending} onClick={() => send('cancel-video')}>
              Cancel
            </button>
          ) : (
            <button
              key="render"
              type="button"
              className="video-render-primary"
              disabled={isSending || status === null || connection === 'connecting'}
              onClick={() => send('regenerate-video')}
            >
              {status === 'failed' ? 'Try again' : status === 'completed' ? 'Render again' : 'Render video'}
            </button>
          )}
          <p className="video-render-notice" role="alert">
            {notice}
          </p>
        </div>
      </section>
      {status !== null && <VideoHistory {...history} />}
    </div>
  )
}

/** Without a number it is waiting. */
function ProgressBar({ progress }: { readonly progress: number | null }) {
  const percent = progress === null ? undefined : Math.floor(progress)
  return (
    <div className="video-render-progress">
      <div
        className="video-render-bar"
        role="progressbar"
        aria-label="Progress of the render"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <div className="video-render-fill" style={percent === undefined ? undefined : { width: `${percent}%` }} />
      </div>
      <span className="video-render-percent" aria-hidden="true">
        {percent === undefined ? '' : `${percent} %`}
      </span>
    </div>
  )
}

/** Asks the server to do something with the render, one request at a time. */
function useActions(id: string, { connection, refresh }: UseVideoRenderStatusResult) {
  const [isSending, setIsSending] = useState(false)
  const [sent, setSent] = useState(0)
  const [notice, setNotice] = useState<string | null>(null)

  async function send(action: 'regenerate-video' | 'cancel-video') {
    setIsSending(true)
    setNotice(null)
    try {
      const response = await fetch(`/api/patch-notes/${encodeURIComponent(id)}/${action}`, { method: 'POST' })
      setNotice(await noticeOf(response))
    } catch {
      setNotice('No answer from the server. Try again.')
    }
    setIsSending(false)
    setSent((count) => count + 1)
    // Whatever has become of the render: a stream that is open tells it by itself.
    if (connection !== 'live') refresh()
  }
  return { send, isSending, sent, notice }
}

/** What the user should know of an answer; null where the status of the render says it all. */
async function noticeOf(response: Response): Promise<string | null> {
  // 409: somebody was faster, and the page shows what they did.
  if (response.ok || response.status === 409) return null
  const answer: unknown = await response.json().catch(() => null)
  // The renderer could not begin, and so the render has failed.
  if (response.status === 502 && answer !== null) return null
  if (response.status === 401) return 'You have to sign in to do this.'
  if (response.status === 403) return 'You are not allowed to do this.'
  return `The server could not do this right now (${response.status}). Try again.`
}
