import { createRemotionWebhookRoute } from 'renderstate/remotion'
import { client } from '@/lib/render-state'
import { site, webhook } from '@/lib/video-renderer'

/** Where Remotion Lambda reports the end of a render. A renderer without webhooks has no such route. */
export const POST = webhook?.secret
  ? createRemotionWebhookRoute({ client, secret: webhook.secret, site })
  : () => new Response(null, { status: 404 })
