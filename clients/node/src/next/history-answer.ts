import type { Change, Event, State } from '../wire.generated.js'

/** What the history route tells a browser about one change of a render. */
export interface ChangeAnswer {
  readonly seq: number
  readonly event: Event
  readonly from: State
  readonly to: State
  readonly progress: number
  readonly run: number
  readonly attempt: number
  readonly at: string
  readonly actor?: string
  readonly videoUrl?: string
  readonly error?: string
}

/** Makes of a change what a browser may see. */
export function changeAnswer(change: Change): ChangeAnswer {
  const { seq, event, previousState, state, progress, run, attempt, at, actor, videoUrl, error } = change
  return {
    seq,
    event,
    from: previousState,
    to: state,
    progress,
    run,
    attempt,
    at,
    ...(actor !== null && { actor }),
    ...(videoUrl !== null && { videoUrl }),
    ...(error !== null && { error })
  }
}
