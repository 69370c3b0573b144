import { RenderStateError } from '../errors.js'
import { badRequest } from './error-response.js'
import { guard } from './route.js'
import type { StatusStreamRouteOptions } from './status-routes.js'
import { statusStream } from './status-stream.js'

export interface StatusesStreamRouteOptions extends StatusStreamRouteOptions {
  /** How many renders one request may name: 1 to 1,000. 100 if absent. */
  readonly maxIds?: number | undefined
}

/**
 * GET `?id=a&id=b`: many renders on one connection, as Server-sent events. `authorize` is asked for each of them, with the action
 * `stream`, and who may not see one of them sees none. For a folder without `[id]`.
 */
export function createStatusesStreamRoute(options: StatusesStreamRouteOptions): (request: Request) => Promise<Response> {
  const { maxIds = 100 } = options
  if (!Number.isInteger(maxIds) || maxIds < 1 || maxIds > 1000) throw new RenderStateError('configuration', 'maxIds is an integer from 1 to 1000')
  const guarded = guard('stream', options)
  return async (request) => {
    const ids = [...new Set(new URL(request.url).searchParams.getAll('id'))]
    if (ids.length === 0) return badRequest('name the renders: ?id=')
    if (ids.length > maxIds) return badRequest(`at most ${maxIds} renders at once`)
    return guarded(request, ids, (client) => statusStream(client, request, ids, options))
  }
}
