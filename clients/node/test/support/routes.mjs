// The routes of renderstate/next, and requests to them as Next.js hands them on.
import assert from 'node:assert/strict'
import {
  createCancelRoute,
  createHistoryRoute,
  createRegenerateRoute,
  createStatusesStreamRoute,
  createStatusRoute,
  createStatusStreamRoute
} from 'renderstate/next'

const url = 'http://studio.example/api/patch-notes/a/video-status'
const context = (id) => ({ params: Promise.resolve({ id }) })

export const sameOrigin = { 'Sec-Fetch-Site': 'same-origin' }
export const get = (route, id = 'a', init) => route(new Request(url, init), context(id))
/** With a query, such as `limit=1`. */
export const ask = (route, query, id = 'a') => route(new Request(`${url}?${query}`), context(id))
/** Of the route of many renders. */
export const getMany = (route, ids, init) =>
  route(new Request(`${url}?${ids.map((id) => `id=${encodeURIComponent(id)}`).join('&')}`, init))
export const post = (route, id = 'a', headers = sameOrigin) => route(new Request(url, { method: 'POST', headers }), context(id))

/** All routes of a client. `started` and `cancelled` fill with what onStart and onCancel get. */
export function routes(client, options = {}) {
  const started = []
  const cancelled = []
  const all = {
    client,
    authorize: () => true,
    onStart: (status) => void started.push(status),
    onCancel: (status) => void cancelled.push(status),
    ...options
  }
  return {
    started,
    cancelled,
    status: createStatusRoute(all),
    stream: createStatusStreamRoute(all),
    many: createStatusesStreamRoute(all),
    history: createHistoryRoute({ ...all, answer: options.changeAnswer }),
    regenerate: createRegenerateRoute(all),
    cancel: createCancelRoute(all)
  }
}

/** The body of a response with that status. */
export async function body(response, status) {
  assert.equal(response.status, status)
  assert.equal(response.headers.get('content-type'), 'application/json')
  assert.equal(response.headers.get('cache-control'), 'no-store')
  return response.json()
}
