// The routes of renderstate/next, and requests to them as Next.js hands them on.
import assert from 'node:assert/strict'
import { createCancelRoute, createRegenerateRoute, createStatusRoute, createStatusStreamRoute } from 'renderstate/next'

const url = 'http://studio.example/api/patch-notes/a/video-status'
const context = (id) => ({ params: Promise.resolve({ id }) })

export const sameOrigin = { 'Sec-Fetch-Site': 'same-origin' }
export const get = (route, id = 'a', init) => route(new Request(url, init), context(id))
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
