import { cancelRenderOnLambda, getRenderProgress, renderMediaOnLambda } from '@remotion/lambda/client'
import type { AwsRegion } from '@remotion/lambda/client'

const env = process.env

export const renderer = { renderMediaOnLambda, getRenderProgress, cancelRenderOnLambda }

export const site = {
  renderer,
  region: env.AWS_REGION as AwsRegion,
  functionName: env.REMOTION_APP_FUNCTION_NAME ?? ''
}

export function renderInput(id: string): Parameters<typeof renderMediaOnLambda>[0] {
  return {
    region: site.region,
    functionName: site.functionName,
    serveUrl: env.REMOTION_APP_SERVE_URL ?? '',
    composition: 'PatchNote',
    codec: 'h264',
    inputProps: { id },
    enableCancellation: true
  }
}

// Without them the poller alone sees the end of a render.
export const webhook =
  env.REMOTION_WEBHOOK_URL && env.REMOTION_WEBHOOK_SECRET
    ? { url: env.REMOTION_WEBHOOK_URL, secret: env.REMOTION_WEBHOOK_SECRET }
    : undefined
