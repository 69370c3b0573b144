import { ACTIVE_STATES, PROCESSING_STATUS, TERMINAL_STATES, TRANSITIONS } from 'renderstate/machine'
import type { Event, State, Status } from 'renderstate/machine'

// The table is the sidecar's own. Nothing here needs Node: client components may import it.

export type VideoRenderState = State
export type VideoRenderEvent = Event
export type ProcessingStatus = NonNullable<Status['processingStatus']>

export function isValidTransition(state: VideoRenderState, event: VideoRenderEvent): boolean {
  return getNextState(state, event) !== null
}

/** The state after the event, or null where the state does not accept it. */
export function getNextState(state: VideoRenderState, event: VideoRenderEvent): VideoRenderState | null {
  return TRANSITIONS.find((row) => row.from === state && row.event === event)?.to ?? null
}

/** Whether a run or an attempt is over: completed, failed. */
export function isTerminalState(state: VideoRenderState): boolean {
  return TERMINAL_STATES.includes(state)
}

/** Whether the render is under way: queued, rendering. */
export function isActiveState(state: VideoRenderState): boolean {
  return ACTIVE_STATES.includes(state)
}

/** The state that a value of the legacy column `processingStatus` stands for; idle for every value that is not of a render. */
export function mapProcessingStatusToState(processingStatus: string | null | undefined, hasRenderId: boolean): VideoRenderState {
  if (processingStatus === PROCESSING_STATUS.rendering) return hasRenderId ? 'rendering' : 'queued'
  return TERMINAL_STATES.find((state) => PROCESSING_STATUS[state] === processingStatus) ?? 'idle'
}

/** The legacy column's value. It has no word of its own for idle, which it calls completed. */
export function mapStateToProcessingStatus(state: VideoRenderState): ProcessingStatus {
  return PROCESSING_STATUS[state] ?? 'completed'
}
