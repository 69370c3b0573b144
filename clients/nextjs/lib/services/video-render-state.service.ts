import { RenderStateError } from 'renderstate'
import type { Status } from 'renderstate'
import { client } from '@/lib/render-state'
import { getNextState } from '@/lib/services/video-render-state-machine'
import type { VideoRenderEvent, VideoRenderState } from '@/lib/services/video-render-state-machine'

// Every function rejects where the store cannot be had, with a RenderStateError whose `kind` says why. What the store
// refuses is an answer, and not an exception.

export interface VideoRenderStatus {
  state: VideoRenderState
  /** 0 to 100. */
  progress: number
  renderId: string | null
  bucketName: string | null
  videoUrl: string | null
  error: string | null
  /** The epoch, of a render that was never started. */
  lastUpdated: Date
}

/** `progress` goes with the event progress only, `videoUrl` with complete, `error` with fail and cancel. */
export interface VideoRenderContext {
  renderId?: string | null
  bucketName?: string | null
  progress?: number | null
  videoUrl?: string | null
  error?: string | null
}

export interface StateTransitionResult {
  /** False where the event was refused, and nothing has changed. */
  success: boolean
  previousState: VideoRenderState
  /** Null where the event was refused. */
  newState: VideoRenderState | null
  /** Why the event was refused. */
  error?: string
  /** The render as it is now, also where the event was refused. */
  status: VideoRenderStatus
}

const neverStarted = (): VideoRenderStatus => ({
  state: 'idle',
  progress: 0,
  renderId: null,
  bucketName: null,
  videoUrl: null,
  error: null,
  lastUpdated: new Date(0)
})

/** Rejects with kind invalidParams where there can be no render of this id. */
export async function getVideoRenderStatus(id: string): Promise<VideoRenderStatus> {
  return toVideoRenderStatus(await client.getStatus(id))
}

/** Sends one event. What the table, the fencing of renderIds or the limits of a value refuse is `success: false`. */
export async function transitionVideoRenderState(
  id: string,
  event: VideoRenderEvent,
  context: VideoRenderContext = {}
): Promise<StateTransitionResult> {
  try {
    const { previousState, status } = await client.transition(id, event, { context })
    return { success: true, previousState, newState: getNextState(previousState, event), status: toVideoRenderStatus(status) }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return refused(error.message, error.status ? toVideoRenderStatus(error.status) : await statusForRefusal(id))
  }
}

/** Queues the render: one that was never started, or has failed. */
export function startVideoRenderTransition(
  id: string,
  renderId?: string | null,
  bucketName?: string | null
): Promise<StateTransitionResult> {
  return transitionVideoRenderState(id, 'start', { renderId, bucketName })
}

/** The renderer is at work on the queued render, under this name. */
export function markRenderStarted(id: string, renderId?: string | null, bucketName?: string | null): Promise<StateTransitionResult> {
  return transitionVideoRenderState(id, 'progress', { renderId, bucketName })
}

/** `progress` is 0 to 100; it never falls within an attempt. */
export function updateVideoRenderProgress(id: string, progress: number): Promise<StateTransitionResult> {
  return transitionVideoRenderState(id, 'progress', { progress })
}

/** The render has to be rendering: `markRenderStarted` comes first. */
export function completeVideoRender(id: string, videoUrl: string): Promise<StateTransitionResult> {
  return transitionVideoRenderState(id, 'complete', { videoUrl })
}

export function failVideoRender(id: string, error: string): Promise<StateTransitionResult> {
  return transitionVideoRenderState(id, 'fail', { error })
}

/** Ends the attempt in the store. The route `cancel-video` also stops the renderer. */
export function cancelVideoRender(id: string): Promise<StateTransitionResult> {
  return transitionVideoRenderState(id, 'cancel')
}

function toVideoRenderStatus(status: Status): VideoRenderStatus {
  const { state, progress, renderId, bucketName, videoUrl, error, updatedAt } = status
  return { state, progress, renderId, bucketName, videoUrl, error, lastUpdated: new Date(updatedAt ?? 0) }
}

function refused(error: string, status: VideoRenderStatus): StateTransitionResult {
  return { success: false, previousState: status.state, newState: null, error, status }
}

/** The render as it is; of an id that none can have, as one that was never started. */
async function statusForRefusal(id: string): Promise<VideoRenderStatus> {
  try {
    return await getVideoRenderStatus(id)
  } catch (error) {
    if (!isRefusal(error)) throw error
    return neverStarted()
  }
}

function isRefusal(error: unknown): error is RenderStateError {
  if (!(error instanceof RenderStateError)) return false
  return error.status !== null || ['invalidParams', 'invalidRequest', 'parseError'].includes(error.kind)
}
