import type { Authorize } from 'renderstate/next'

/**
 * Stands in for an application's own decision: nobody gets at the renders whose id begins with `secret`, and those that begin
 * with `readonly` are only to be seen.
 */
export const authorize: Authorize = (request, _action, id) =>
  !id.startsWith('secret') && (!id.startsWith('readonly') || request.method === 'GET')
