import type { Authorize } from 'renderstate/next'

/**
 * EDIT THIS. Who may see, render again or cancel the render of an id: nobody, until your application decides here, and
 * every route of renders answers 403. With a session for example:
 *
 *     export const authorize: Authorize = async (request, action, id) => (await sessionOf(request))?.mayEdit(id) === true
 *
 * `action` is one of `status`, `stream`, `history`, `regenerate` and `cancel`; only `true` lets the request pass.
 */
export const authorize: Authorize = (_, action) => console.warn(`403 for ${action}: lib/authorize.ts denies everything until you edit it`)
