import type { State, Status } from '../wire.generated.js'

/** What the dashboard tells a browser about one render. */
export interface DashboardRender {
  readonly id: string
  readonly status: State
  readonly progress: number
  readonly run: number
  readonly attempt: number
  readonly createdAt: string
  /** When its last event was. */
  readonly updatedAt: string
  readonly videoUrl?: string
  /** Its beginning, where it is long: the history has all of it. */
  readonly error?: string
}

/** The renders as they are: the data of the event `renders`, the first one of a stream. */
export interface DashboardSnapshot {
  /** The time of the server. */
  readonly at: string
  readonly renders: readonly DashboardRender[]
  /** The states of which there are more renders than these. */
  readonly more: readonly State[]
  /** After how long without an event an active render counts as stuck. */
  readonly stuckMs: number
  /** How often the event `alive` shows that the connection lives. */
  readonly heartbeatMs: number
}

/** What has changed since: the data of the event `changes`. */
export interface DashboardChanges {
  readonly at: string
  /** Renders that are new or have changed, as they are now. */
  readonly renders: readonly DashboardRender[]
  /** The ids of those that are shown no longer, as newer ones have taken their place. */
  readonly gone: readonly string[]
  readonly more: readonly State[]
}

/** So many characters of an error are told: enough to recognise it by, in a list of many. */
const errorLimit = 300

export function dashboardRender(status: Status): DashboardRender {
  const { id, state, progress, run, attempt, createdAt, updatedAt, videoUrl, error } = status
  return {
    id,
    status: state,
    progress,
    run,
    attempt,
    createdAt: createdAt ?? '',
    updatedAt: updatedAt ?? '',
    ...(videoUrl !== null && { videoUrl }),
    ...(error !== null && { error: shortened(error) })
  }
}

function shortened(error: string): string {
  // Twice as many code units hold as many characters, whichever they are.
  const characters = [...error.slice(0, 2 * errorLimit + 2)]
  return characters.length > errorLimit ? `${characters.slice(0, errorLimit).join('')}…` : error
}
