import { RenderStateError } from 'renderstate'
import type { Status } from 'renderstate'
import { statusAnswer } from 'renderstate/next'
import type { StatusAnswer } from 'renderstate/next'
import { startRender } from 'renderstate/remotion'
import type { StartedRender, StartRenderResult } from 'renderstate/remotion'
import { poller } from '@/lib/render-poller'
import { client } from '@/lib/render-state'
import { isActiveState } from '@/lib/services/video-render-state-machine'
import { renderer, renderInput, webhook } from '@/lib/video-renderer'

/** Why a render was not started. */
export class VideoRenderError extends Error {
  override readonly name = 'VideoRenderError'

  constructor(
    message: string,
    /**
     * - `refused`: it is being rendered already, and the renderer was not called.
     * - `failed`: the renderer refused; `cause` is what it threw.
     * - `superseded`: it was cancelled or started anew while the renderer was called.
     */
    readonly outcome: Exclude<StartRenderResult['outcome'], 'started'>,
    /** The render as it is now. */
    readonly status: Status,
    cause?: unknown
  ) {
    super(message, { cause })
  }
}

/**
 * Renders the video of a patch note: for the first time, again after a failure, or anew where it is completed. The render is
 * claimed before the renderer is called, so of any number of callers one pays. Throws a `VideoRenderError`.
 */
export async function startVideoRender(id: string): Promise<StartedRender> {
  const result = await startRender(client, renderer, id, renderInput(id), { claim: 'either', webhook, actor: 'startVideoRender' })
  const { outcome, status } = result
  switch (outcome) {
    case 'started':
      return { renderId: result.render.renderId, bucketName: result.render.bucketName }
    case 'failed':
      throw new VideoRenderError(`The render could not be started: ${status.error ?? status.state}`, outcome, status, result.error)
    case 'refused':
      throw new VideoRenderError(`The render was not started, as it is ${status.state}`, outcome, status)
    case 'superseded':
      throw new VideoRenderError(`The render was cancelled or started anew meanwhile; it is ${status.state}`, outcome, status)
  }
}

/** The render as the store has it. Where it is active, this process sees to it that the renderer is asked. */
export async function checkVideoRenderStatus(id: string): Promise<StatusAnswer> {
  const status = await client.getStatus(id)
  if (isActiveState(status.state)) void poller.poll(id).catch(notStopped)
  return statusAnswer(status)
}

/** @deprecated Use `checkVideoRenderStatus`, which tells idle from queued. */
export async function getVideoRenderStatus(id: string): Promise<LegacyVideoRenderStatus> {
  const { status, ...rest } = await checkVideoRenderStatus(id)
  return { ...rest, status: status === 'idle' || status === 'queued' ? 'pending' : status }
}

/** @deprecated */
export interface LegacyVideoRenderStatus extends Omit<StatusAnswer, 'status'> {
  readonly status: 'pending' | 'rendering' | 'completed' | 'failed'
}

/** Whoever asks next begins to poll again. */
function notStopped(error: unknown): void {
  if (!(error instanceof RenderStateError && error.kind === 'closed')) console.error(error)
}
