import { createCancelRoute } from 'renderstate/next'
import { stopRender } from 'renderstate/remotion'
import { authorize } from '@/lib/authorize'
import { client } from '@/lib/render-state'
import { renderer, site } from '@/lib/video-renderer'

export const POST = createCancelRoute({
  client,
  authorize,
  actor: 'cancel-video',
  onCancel: (status) => stopRender(renderer, status, site),
  onError: console.error
})
