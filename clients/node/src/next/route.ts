import type { RenderStateClient } from '../client.js'
import { RenderStateError } from '../errors.js'
import { errorResponse, forbidden, invalidId } from './error-response.js'
import { isSameOrigin } from './same-origin.js'
import { statusAnswer } from './status-answer.js'
import type { ToAnswer } from './status-answer.js'

/** What a request wants to do with a render. */
export type RouteAction = 'status' | 'stream' | 'history' | 'regenerate' | 'cancel'

/** Only `true` lets a request pass; a Response is answered as it is (a 401 for example), and everything else is 403. */
export type Verdict = boolean | Response | void | Promise<boolean | Response | void>

/**
 * Whether the sender may do this with the render of that id, which is as the sender wrote it. Judge by the action, and not by
 * the method of the request: `createActionsRoute` asks with a GET what the sender might do.
 */
export type Authorize = (request: Request, action: RouteAction, id: string) => Verdict

/** A route handler of Next.js in a folder named `[id]`. */
export type RouteHandler = (request: Request, context: { params: Promise<{ id: string }> }) => Promise<Response>

export interface RouteOptions {
  /** The client, or what makes it with the first request. */
  readonly client: RenderStateClient | (() => RenderStateClient)
  readonly authorize: Authorize
  /** What a browser may see of a status. Without it: `statusAnswer`. */
  readonly answer?: ToAnswer | undefined
  /** Is told what a browser is not: the cause of each 503 and 502, and what `onCancel` throws. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** What the routes that change something take, too. */
export interface ChangingRouteOptions extends RouteOptions {
  /** Origins that may send this besides the host's own, such as `https://studio.example`. */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Who asks, for the log. */
  readonly actor?: string | undefined
}

/** A route of the render that the folder `[id]` names. */
export function route(
  action: RouteAction,
  options: RouteOptions,
  handle: (client: RenderStateClient, request: Request, id: string) => Promise<Response>
): RouteHandler {
  const pass = guard(action, options)
  return async (request, { params }) => {
    const { id } = await params
    // A folder of another name, or one that takes several parts.
    if (typeof id !== 'string') return invalidId()
    return pass(request, [id], (client) => handle(client, request, id))
  }
}

/** A route that changes the render, so the request has to come from a page of the host's own. */
export function changingRoute(
  action: RouteAction,
  options: ChangingRouteOptions,
  handle: (client: RenderStateClient, request: Request, id: string) => Promise<Response>
): RouteHandler {
  const handler = route(action, options, handle)
  const { allowedOrigins } = options
  return async (request, context) => (isSameOrigin(request, allowedOrigins) ? handler(request, context) : forbidden())
}

/** Lets a request pass that may do this with each of the ids, and makes a response of what goes wrong then. */
export function guard(action: RouteAction, options: RouteOptions) {
  const { authorize } = options
  checkIsGiven(authorize)
  return (request: Request, ids: readonly string[], handle: (client: RenderStateClient) => Promise<Response>): Promise<Response> =>
    guarded(request, ids.map((id) => () => authorize(request, action, id)), options, handle)
}

/** Throws kind configuration where nobody says who may do what. */
export function checkIsGiven(authorize: unknown): void {
  if (typeof authorize !== 'function') throw new RenderStateError('configuration', 'the route needs authorize, which says who may do what')
}

/** Lets a request pass where all questions are answered `true`, and makes a response of what goes wrong then. */
export async function guarded(
  request: Request,
  questions: readonly (() => Verdict)[],
  { client, answer = statusAnswer, onError }: Omit<RouteOptions, 'authorize'>,
  handle: (client: RenderStateClient) => Promise<Response>
): Promise<Response> {
  const verdicts = await Promise.all(questions.map(async (ask) => ask()))
  const refusals = verdicts.filter((verdict) => verdict !== true)
  if (refusals.length > 0) return refusals[0] instanceof Response ? refusals[0] : forbidden()
  try {
    return await handle(typeof client === 'function' ? client() : client)
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
