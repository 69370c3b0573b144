import type { Authorize } from 'renderstate/next'

/** Stands in for an application's own decision: nobody gets at the renders whose id begins with `secret`. */
export const authorize: Authorize = (_request, _action, id) => !id.startsWith('secret')
