import { createStatusesStreamRoute } from 'renderstate/next'
import { authorize } from '@/lib/authorize'
import { client } from '@/lib/render-state'

/** Many renders on one connection: `?id=a&id=b`. */
export const GET = createStatusesStreamRoute({ client, authorize, onError: console.error })
