import { createStatusRoute } from 'renderstate/next'
import { authorize } from '@/lib/authorize'
import { client } from '@/lib/render-state'

export const GET = createStatusRoute({ client, authorize, onError: console.error })
