import { metricsContentType } from '../metrics.js'
import { operatorRoute } from './operator-route.js'
import type { OperatorRouteOptions } from './operator-route.js'

/**
 * GET: the metrics of the store, the sidecar and the client in Prometheus' text format. 200 also where the sidecar does not
 * answer, with `renderstate_client_up 0`; `onError` is told why. For a folder without `[id]`.
 */
export function createMetricsRoute(options: OperatorRouteOptions): (request: Request) => Promise<Response> {
  const { onError } = options
  return operatorRoute('metrics', options, async (client, { signal }) => {
    const text = await client.metrics({ onError, signal })
    return new Response(text, { headers: { 'Content-Type': metricsContentType, 'Cache-Control': 'no-store' } })
  })
}
