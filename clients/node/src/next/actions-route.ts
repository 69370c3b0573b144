import { invalidId, json } from './error-response.js'
import { checkIsGiven } from './route.js'
import type { Authorize, RouteAction, RouteHandler } from './route.js'

const changing: readonly RouteAction[] = ['regenerate', 'cancel']

/**
 * GET: `{actions}`, those of `regenerate` and `cancel` that `authorize` lets the sender do with the render, whatever its state. For a
 * page that shows no button in vain; the routes ask again.
 */
export function createActionsRoute({ authorize }: { readonly authorize: Authorize }): RouteHandler {
  checkIsGiven(authorize)
  return async (request, { params }) => {
    const { id } = await params
    if (typeof id !== 'string') return invalidId()
    const verdicts = await Promise.all(changing.map(async (action) => authorize(request, action, id)))
    return json({ actions: changing.filter((_, index) => verdicts[index] === true) }, 200)
  }
}
