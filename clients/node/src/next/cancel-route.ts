import type { Status } from '../wire.generated.js'
import { json } from './error-response.js'
import { changingRoute } from './route.js'
import type { ChangingRouteOptions, RouteHandler } from './route.js'
import { statusAnswer } from './status-answer.js'

export interface CancelRouteOptions extends ChangingRouteOptions {
  /**
   * Stops the renderer. It is called when the cancel is on disk, with the status that this left: it names the renderId and
   * the bucketName, if there were any yet. The render is cancelled whatever this throws; `onError` is told.
   */
  readonly onCancel?: ((status: Status, request: Request) => unknown) | undefined
}

/** POST: cancels a render that is queued or rendering. 200 with the status; 409 with it where there is nothing to cancel. */
export function createCancelRoute(options: CancelRouteOptions): RouteHandler {
  const { answer = statusAnswer, onCancel, onError, actor } = options
  return changingRoute('cancel', options, async (client, request, id) => {
    const { status, version } = await client.transition(id, 'cancel', { actor })
    // An answer that came late, after the death of a sidecar: this is another attempt, and its renderer is not to be stopped.
    if (status.version !== version) return json(answer(status), 409)
    try {
      await onCancel?.(status, request)
    } catch (error) {
      onError?.(error)
    }
    return json(answer(status), 200)
  })
}
