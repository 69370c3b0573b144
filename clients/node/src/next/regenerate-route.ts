import type { RenderStateClient } from '../client.js'
import { ConflictError, InvalidTransitionError, RenderStateError } from '../errors.js'
import { ACTIVE_STATES } from '../wire.generated.js'
import type { Status, Timeouts } from '../wire.generated.js'
import { json } from './error-response.js'
import { changingRoute } from './route.js'
import type { ChangingRouteOptions, RouteHandler } from './route.js'
import { statusAnswer } from './status-answer.js'

export interface RegenerateRouteOptions extends ChangingRouteOptions {
  /**
   * Begins the render, which is queued now. Only the request that queued it calls this, so two clicks pay for one render.
   * What it throws becomes the error of the render.
   */
  readonly onStart: (status: Status, request: Request) => unknown
  /** The limits of the attempt. */
  readonly timeouts?: Timeouts | undefined
}

/**
 * POST: renders a completed render again, and starts one that failed or was never started. 202 with the status; 409 with it
 * where it is being rendered, or somebody else was faster; 502 with it where `onStart` threw.
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
      return json(answer(await failAttempt(client, started, messageOf(error), options.actor)), 502)
    }
    return json(answer(started), 202)
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

/** Ends the attempt as failed, unless it is over or another one has begun. */
async function failAttempt(client: RenderStateClient, started: Status, error: string, actor: string | undefined): Promise<Status> {
  for (;;) {
    const now = await client.getStatus(started.id, { fresh: true })
    const isSame = now.run === started.run && now.attempt === started.attempt
    if (!isSame || !ACTIVE_STATES.includes(now.state)) return now
    try {
      const options = { actor, expectedVersion: now.version, context: { error } }
      return (await client.transition(started.id, 'fail', options)).status
    } catch (refusal) {
      // It has changed since it was read.
      if (!(refusal instanceof ConflictError) && !(refusal instanceof InvalidTransitionError)) throw refusal
    }
  }
}

/** As text that can be stored: not endless, and without halves of characters. */
function messageOf(error: unknown): string {
  const message = (error instanceof Error && error.message) || 'the render could not be begun'
  return new TextDecoder().decode(new TextEncoder().encode(message.slice(0, 8192)))
}
