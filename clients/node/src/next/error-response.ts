import { RenderStateError } from '../errors.js'
import type { ToAnswer } from './status-answer.js'

const noStore = { 'Cache-Control': 'no-store' }

export function json(body: object, status: number, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', ...noStore, ...headers }
  })
}

export function forbidden(): Response {
  return json({ error: 'forbidden' }, 403)
}

export function badRequest(error: string): Response {
  return json({ error }, 400)
}

export function invalidId(): Response {
  return badRequest('there can be no render of this id')
}

/**
 * The response for what went wrong: 400, 409 with the status of the render, or 503. It tells nothing of the server.
 * Null for what is a mistake of the host or a defect.
 */
export function errorResponse(error: unknown, answer: ToAnswer): Response | null {
  if (!(error instanceof RenderStateError)) return null
  switch (error.kind) {
    case 'invalidParams':
      // Everything but the id comes from the host.
      return /^params\.ids?\b/.test(String(error.data.path)) ? invalidId() : null
    case 'invalidRequest':
    case 'parseError':
      return invalidId()
    case 'conflict':
    case 'invalidTransition':
    case 'staleRender':
      return error.status && json(answer(error.status), 409)
    case 'storeBusy':
    case 'storeUnavailable':
    case 'sidecarFailed':
    case 'shuttingDown':
    case 'timeout':
    case 'overloaded':
    case 'closed':
      return json({ error: 'the state of renders cannot be read right now' }, 503, { 'Retry-After': '2' })
    default:
      return null
  }
}
