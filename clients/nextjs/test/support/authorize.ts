import type { Authorize, AuthorizeOperator } from 'renderstate/next'

/**
 * Stands in for an application's own decision: nobody gets at the renders whose id begins with `secret`, and those that begin
 * with `readonly` are only to be seen.
 */
export const authorize: Authorize = (_request, action, id) =>
  !id.startsWith('secret') && (!id.startsWith('readonly') || !['regenerate', 'cancel'].includes(action))

/** Everybody is an operator who does not say to be a visitor. */
export const authorizeOperator: AuthorizeOperator = (request) => request.headers.get('Cookie') !== 'visitor=1'
