import type { State, Status } from '../wire.generated.js'

/** What the routes tell a browser about a render. */
export interface StatusAnswer {
  readonly status: State
  readonly progress: number
  readonly videoUrl?: string
  readonly error?: string
}

/** Makes of a status what a browser may see. */
export type ToAnswer = (status: Status) => object

export function statusAnswer({ state, progress, videoUrl, error }: Status): StatusAnswer {
  return { status: state, progress, ...(videoUrl !== null && { videoUrl }), ...(error !== null && { error }) }
}
