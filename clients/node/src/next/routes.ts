import type { RenderStateClient } from '../client.js'
import { ConflictError, InvalidTransitionError, RenderStateError } from '../errors.js'
import { ACTIVE_STATES } from '../wire.generated.js'
import type { Status, Timeouts } from '../wire.generated.js'
import { errorResponse, forbidden, invalidId, json } from './error-response.js'
import { isSameOrigin } from './same-origin.js'
import { statusAnswer } from './status-answer.js'
import type { ToAnswer } from './status-answer.js'
import { statusStream } from './status-stream.js'
import type { StatusStreamOptions } from './status-stream.js'

/** What a request wants to do with a render. */
export type RouteAction = 'status' | 'stream' | 'regenerate'

/**
 * Whether the sender may do this with the render of that id, which is as the sender wrote it. Only `true` lets it pass; a
 * Response is answered as it is (a 401 for example), and everything else is 403.
 */
export type Authorize = (
  request: Request,
  action: RouteAction,
  id: string
) => boolean | Response | void | Promise<boolean | Response | void>

/** A route handler of Next.js in a folder named `[id]`. */
export type RouteHandler = (request: Request, context: { params: Promise<{ id: string }> }) => Promise<Response>

export interface RouteOptions {
  /** The client, or what makes it with the first request. */
  readonly client: RenderStateClient | (() => RenderStateClient)
  readonly authorize: Authorize
  /** What a browser may see of a status. Without it: `statusAnswer`. */
  readonly answer?: ToAnswer | undefined
  /** Is told what a browser is not: the cause of each 503 and 502. */
  readonly onError?: ((error: unknown) => void) | undefined
}

export interface StatusStreamRouteOptions extends RouteOptions, StatusStreamOptions {}

export interface RegenerateRouteOptions extends RouteOptions {
  /**
   * Begins the render, which is queued now. Only the request that queued it calls this, so two clicks pay for one render.
   * What it throws becomes the error of the render.
   */
  readonly onStart: (status: Status, request: Request) => unknown
  /** Origins that may send this besides the host's own, such as `https://studio.example`. */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Who asks, for the log. */
  readonly actor?: string | undefined
  /** The limits of the attempt. */
  readonly timeouts?: Timeouts | undefined
}

/** GET: the render as it is. */
export function createStatusRoute(options: RouteOptions): RouteHandler {
  const { answer = statusAnswer } = options
  return route('status', options, async (client, request, id) => {
    return json(answer(await client.getStatus(id, { signal: request.signal })), 200)
  })
}

/** GET: the render as it is and becomes, as Server-sent events. */
export function createStatusStreamRoute(options: StatusStreamRouteOptions): RouteHandler {
  return route('stream', options, (client, request, id) => statusStream(client, request, id, options))
}

/**
 * POST: renders a completed render again, and starts one that failed or was never started. 202 with the status; 409 with it
 * where it is being rendered, or somebody else was faster; 502 with it where `onStart` threw.
 */
export function createRegenerateRoute(options: RegenerateRouteOptions): RouteHandler {
  const { answer = statusAnswer, onStart, allowedOrigins } = options
  if (typeof onStart !== 'function') throw new RenderStateError('configuration', 'the route needs onStart, which begins the render')
  const handler = route('regenerate', options, async (client, request, id) => {
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
  return async (request, context) => (isSameOrigin(request, allowedOrigins) ? handler(request, context) : forbidden())
}

function route(
  action: RouteAction,
  { client, authorize, answer = statusAnswer, onError }: RouteOptions,
  handle: (client: RenderStateClient, request: Request, id: string) => Promise<Response>
): RouteHandler {
  if (typeof authorize !== 'function') throw new RenderStateError('configuration', 'the route needs authorize, which says who may do what')
  return async (request, { params }) => {
    const { id } = await params
    // A folder of another name, or one that takes several parts.
    if (typeof id !== 'string') return invalidId()
    const verdict = await authorize(request, action, id)
    if (verdict instanceof Response) return verdict
    if (verdict !== true) return forbidden()
    try {
      return await handle(typeof client === 'function' ? client() : client, request, id)
    } catch (error) {
      // Nobody is there to read it.
      if (request.signal.aborted) return new Response(null, { status: 499 })
      const response = errorResponse(error, answer)
      // What is no answer to the browser is for the host's own log.
      if (response === null) throw error
      if (response.status === 503) onError?.(error)
      return response
    }
  }
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
