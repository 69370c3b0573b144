'use client'
import './video-render.css'
import { useVideoRenderStatus } from 'renderstate/react'
import { isActiveState } from '@/lib/services/video-render-state-machine'
import { ProgressBar } from './progress-bar'
import { useVideoActions } from './use-video-actions'
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
  const { status, progress, videoUrl, error, connection, refresh } = useVideoRenderStatus(id)
  const { send, isSending, sent, notice } = useVideoActions(id, () => {
    // Whatever has become of the render: a stream that is open tells it by itself.
    if (connection !== 'live') refresh()
  })
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
