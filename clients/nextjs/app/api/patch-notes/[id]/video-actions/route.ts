import { createActionsRoute } from 'renderstate/next'
import { authorize } from '@/lib/authorize'

export const GET = createActionsRoute({ authorize })
