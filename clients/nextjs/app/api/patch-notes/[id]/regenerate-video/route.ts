import { createRegenerateRoute } from 'renderstate/next'
import { beginRender } from 'renderstate/remotion'
import { authorize } from '@/lib/authorize'
import { client } from '@/lib/render-state'
import { renderer, renderInput, webhook } from '@/lib/video-renderer'

export const POST = createRegenerateRoute({
  client,
  authorize,
  actor: 'regenerate-video',
  onStart: (status) => beginRender(client, renderer, status, renderInput(status.id), { webhook }),
  onError: console.error
})
