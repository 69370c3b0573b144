import { createDashboardStreamRoute } from 'renderstate/next'
import { authorizeOperator } from '@/lib/authorize'
import { client } from '@/lib/render-state'

/** All renders that are active or have ended last, for the dashboard. */
export const GET = createDashboardStreamRoute({ client, authorize: authorizeOperator, onError: console.error })
