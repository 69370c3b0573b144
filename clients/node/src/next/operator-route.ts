import type { RenderStateClient } from '../client.js'
import { checkIsGiven, guarded } from './route.js'
import type { RouteOptions, Verdict } from './route.js'

/** What a request wants to know of all renders at once. */
export type OperatorAction = 'dashboard' | 'metrics'

/** Whether the sender may see what is told of all renders, whosever they are. Only `true` lets the request pass, as of `Authorize`. */
export type AuthorizeOperator = (request: Request, action: OperatorAction) => Verdict

export interface OperatorRouteOptions extends Pick<RouteOptions, 'client'> {
  readonly authorize: AuthorizeOperator
  /** Is told what a browser is not: the cause of each 503. */
  readonly onError?: RouteOptions['onError']
}

/** A route of all renders, in a folder without `[id]`. */
export function operatorRoute(
  action: OperatorAction,
  { client, authorize, onError }: OperatorRouteOptions,
  handle: (client: RenderStateClient, request: Request) => Promise<Response>
): (request: Request) => Promise<Response> {
  checkIsGiven(authorize)
  return (request) => guarded(request, [() => authorize(request, action)], { client, onError }, (found) => handle(found, request))
}
