import { createStatusStreamRoute } from 'renderstate/next'
import { authorize } from '@/lib/authorize'
import { client } from '@/lib/render-state'

export const GET = createStatusStreamRoute({ client, authorize, onError: console.error })
