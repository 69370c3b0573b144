// That functions typed as Remotion's are go in as they are. Only checked, never run.
import type { RenderStateClient } from 'renderstate'
import { createCancelRoute, createRegenerateRoute } from 'renderstate/next'
import { beginRender, createRemotionWebhookRoute, RenderPoller, startRender, stopRender } from 'renderstate/remotion'

type AwsRegion = 'eu-central-1' | 'us-east-1'
interface RenderMediaInput {
  region: AwsRegion
  functionName: string
  serveUrl: string
  composition: string
  codec: 'h264' | 'h265'
  inputProps?: Record<string, unknown>
  webhook?: { url: string; secret: string | null; customData?: Record<string, unknown> } | null
}
interface Reference {
  region: AwsRegion
  bucketName: string
  renderId: string
}
declare function renderMediaOnLambda(input: RenderMediaInput): Promise<{ renderId: string; bucketName: string; folderInS3Console: string }>
declare function getRenderProgress(input: Reference & { functionName: string; skipLambdaInvocation?: boolean }): Promise<{
  overallProgress: number
  done: boolean
  outputFile: string | null
  fatalErrorEncountered: boolean
  errors: { message: string; name: string; stack: string; isFatal: boolean; willRetry: boolean }[]
  timeoutTimestamp: number
}>
declare function cancelRenderOnLambda(input: Reference): Promise<void>

export async function usage(client: RenderStateClient, secret: string): Promise<(request: Request) => Promise<Response>> {
  const renderer = { renderMediaOnLambda, getRenderProgress, cancelRenderOnLambda }
  const input: RenderMediaInput = { region: 'us-east-1', functionName: 'render', serveUrl: 'https://', composition: 'Intro', codec: 'h264' }
  const result = await startRender(client, renderer, 'intro', input, { claim: 'either', webhook: { url: 'https://', secret } })
  if (result.outcome === 'started') console.log(result.render.renderId)
  // @ts-expect-error: the renderer's own options are checked
  await startRender(client, renderer, 'intro', { ...input, codec: 'vhs' })
  const routes = { client, authorize: () => true }
  createRegenerateRoute({ ...routes, onStart: (status) => beginRender(client, renderer, status, input, { webhook: { url: 'https://', secret } }) })
  createCancelRoute({ ...routes, onCancel: (status) => stopRender(renderer, status, input) })
  // @ts-expect-error: here, too
  await beginRender(client, renderer, result.status, { ...input, codec: 'vhs' })
  await new RenderPoller({ client, renderer, region: 'us-east-1', functionName: 'render' }).poll('intro')
  await new RenderPoller({ client, renderer, region: 'us-east-1', functionName: 'render', jitter: 0 }).pollActive()
  return createRemotionWebhookRoute({ client, secret, site: { renderer, region: 'us-east-1', functionName: 'render' } })
}
