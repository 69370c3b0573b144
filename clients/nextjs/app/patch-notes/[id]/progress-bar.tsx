'use client'

/** Without a number it is waiting. */
export function ProgressBar({ progress }: { readonly progress: number | null }) {
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
