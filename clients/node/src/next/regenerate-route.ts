import type { RenderStateClient } from '../client.js'
import { RenderStateError } from '../errors.js'
import { failAttempt, isSameAttempt } from '../fail-attempt.js'
import { ACTIVE_STATES } from '../wire.generated.js'
import type { Status, Timeouts } from '../wire.generated.js'
import { json } from './error-response.js'
import { changingRoute } from './route.js'
import type { ChangingRouteOptions, RouteHandler } from './route.js'
import { statusAnswer } from './status-answer.js'

export interface RegenerateRouteOptions extends ChangingRouteOptions {
  /**
   * Begins the render, which is queued now. Only the request that queued it calls this, so two clicks pay for one render.
   * What it throws becomes the error of the render. It may also fail the render by itself, as `beginRender` does.
   */
  readonly onStart: (status: Status, request: Request) => unknown
  /** The limits of the attempt. */
  readonly timeouts?: Timeouts | undefined
}

/**
 * POST: renders a completed render again, and starts one that failed or was never started. 202 with the status; 409 with it
 * where it is being rendered, somebody else was faster, or it was cancelled meanwhile; 502 with it where it could not be begun.
 */
export function createRegenerateRoute(options: RegenerateRouteOptions): RouteHandler {
  const { answer = statusAnswer, onStart } = options
  if (typeof onStart !== 'function') throw new RenderStateError('configuration', 'the route needs onStart, which begins the render')
  return changingRoute('regenerate', options, async (client, request, id) => {
    const started = await start(client, id, options)
    if (started === null) return json(answer(await client.getStatus(id, { fresh: true })), 409)
    try {
      await onStart(started, request)
    } catch (error) {
      options.onError?.(error)
      return json(answer(await failAttempt(client, started, error, { actor: options.actor })), 502)
    }
    // What onStart has made of it.
    const now = await client.getStatus(id)
    const isCurrent = isSameAttempt(now, started)
    if (isCurrent && now.lastEvent === 'fail') {
      options.onError?.(new Error(now.error ?? 'the render has failed'))
      return json(answer(now), 502)
    }
    return json(answer(now), isCurrent && now.lastEvent !== 'cancel' ? 202 : 409)
  })
}

/** Queues the render; null if that is not for this request to do. Throws kind conflict where somebody else was faster. */
async function start(client: RenderStateClient, id: string, { actor, timeouts }: RegenerateRouteOptions): Promise<Status | null> {
  const before = await client.getStatus(id, { fresh: true })
  if (ACTIVE_STATES.includes(before.state)) return null
  // Of two clicks the second must lose also when the render of the first has failed by then.
  const options = { actor, timeouts, expectedVersion: before.version }
  const { status, version } =
    before.state === 'completed' ? await client.regenerate(id, options) : await client.transition(id, 'start', options)
  // An answer that came late, after the death of a sidecar: the render was cancelled or taken over meanwhile.
  return status.version === version ? status : null
}
