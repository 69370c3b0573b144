import { createMetricsRoute } from 'renderstate/next'
import { authorizeOperator } from '@/lib/authorize'
import { client } from '@/lib/render-state'

/** What Prometheus is told of the store, the sidecar and this process. */
export const GET = createMetricsRoute({ client, authorize: authorizeOperator, onError: console.error })
