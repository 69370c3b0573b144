import type { RenderStateClient } from '../client.js'
import type { Change, HistoryPage } from '../wire.generated.js'
import { badRequest, json } from './error-response.js'
import { changeAnswer } from './history-answer.js'
import { route } from './route.js'
import type { RouteHandler, RouteOptions } from './route.js'

export interface HistoryRouteOptions extends Omit<RouteOptions, 'answer'> {
  /** What a browser may see of a change. Without it: `changeAnswer`. */
  readonly answer?: ((change: Change) => object) | undefined
}

/** The most changes that the store gives at once. */
const pageLimit = 1000

/**
 * GET: `{changes, nextAfterSeq}`, oldest first: the last ones, or with `?afterSeq=` those after it. `?limit=` is 1 to 1,000, and 100
 * if absent. Where `nextAfterSeq` is not null there are more: pass it as `afterSeq`.
 */
export function createHistoryRoute({ answer = changeAnswer, ...options }: HistoryRouteOptions): RouteHandler {
  return route('history', options, async (client, request, id) => {
    const { searchParams } = new URL(request.url)
    const limit = integerOf(searchParams.getAll('limit'), 1, pageLimit)
    const afterSeq = integerOf(searchParams.getAll('afterSeq'), 0, Number.MAX_SAFE_INTEGER)
    if (limit === null) return badRequest(`limit is one integer from 1 to ${pageLimit}`)
    if (afterSeq === null) return badRequest('afterSeq is one integer, the seq of a change')
    const { signal } = request
    const page =
      afterSeq === undefined
        ? await lastChanges(client, id, limit ?? 100, signal)
        : await client.getHistory(id, { afterSeq, limit: limit ?? 100, signal })
    return json({ changes: page.changes.map((change) => answer(change)), nextAfterSeq: page.nextAfterSeq }, 200)
  })
}

/** Undefined where the parameter is absent, null where it is no such integer. */
function integerOf(given: readonly string[], least: number, most: number): number | undefined | null {
  const [text] = given
  if (text === undefined) return undefined
  const value = Number(text)
  return given.length === 1 && /^[0-9]{1,16}$/.test(text) && value >= least && value <= most ? value : null
}

/** The log is read from its beginning: what comes before the last changes is dropped on the way. */
async function lastChanges(client: RenderStateClient, id: string, limit: number, signal: AbortSignal): Promise<HistoryPage> {
  let changes: readonly Change[] = []
  for (let afterSeq = 0; ; ) {
    const page = await client.getHistory(id, { afterSeq, limit: pageLimit, signal })
    changes = [...changes, ...page.changes].slice(-limit)
    if (page.nextAfterSeq === null) return { changes, nextAfterSeq: null }
    afterSeq = page.nextAfterSeq
  }
}
