import { createHistoryRoute } from 'renderstate/next'
import { authorize } from '@/lib/authorize'
import { client } from '@/lib/render-state'

export const GET = createHistoryRoute({ client, authorize, onError: console.error })
