export { createRegenerateRoute, createStatusRoute, createStatusStreamRoute } from './routes.js'
export type {
  Authorize,
  RegenerateRouteOptions,
  RouteAction,
  RouteHandler,
  RouteOptions,
  StatusStreamRouteOptions
} from './routes.js'
export { isSameOrigin } from './same-origin.js'
export { statusAnswer } from './status-answer.js'
export type { StatusAnswer, ToAnswer } from './status-answer.js'
export { statusStream } from './status-stream.js'
export type { StatusStreamOptions } from './status-stream.js'
