import type { Authorize, AuthorizeOperator } from 'renderstate/next'

/**
 * EDIT THIS. Who may see, render again or cancel the render of an id: nobody, until your application decides here, and
 * every route of renders answers 403. With a session for example:
 *
 *     export const authorize: Authorize = async (request, action, id) => (await sessionOf(request))?.mayEdit(id) === true
 *
 * `action` is one of `status`, `stream`, `history`, `regenerate` and `cancel`; only `true` lets the request pass.
 */
export const authorize: Authorize = (_, action) => console.warn(`403 for ${action}: lib/authorize.ts denies everything until you edit it`)

/**
 * EDIT THIS, TOO. Who may see the renders of everybody at once, in the dashboard: nobody, until you decide here.
 * `action` is `dashboard` or `metrics`. What may be done with one of them in the dashboard, `authorize` says.
 */
export const authorizeOperator: AuthorizeOperator = (_, action) =>
  console.warn(`403 for ${action}: lib/authorize.ts denies everything until you edit it`)
