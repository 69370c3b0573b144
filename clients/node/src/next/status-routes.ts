import { json } from './error-response.js'
import { route } from './route.js'
import type { RouteHandler, RouteOptions } from './route.js'
import { statusAnswer } from './status-answer.js'
import { statusStream } from './status-stream.js'
import type { StatusStreamOptions } from './status-stream.js'

export interface StatusStreamRouteOptions extends RouteOptions, StatusStreamOptions {}

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
