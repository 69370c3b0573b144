// Stands in for `@remotion/lambda/client`, with types as narrow as its own. It records its calls, and the id says how it answers:
// `refused…` throws, `lost…` is done when it is asked, and everything else goes on for ever.
import { randomBytes } from 'node:crypto'

export type AwsRegion = 'eu-central-1' | 'us-east-1'

interface RenderMediaInput {
  region: AwsRegion
  functionName: string
  serveUrl: string
  composition: string
  codec: 'h264' | 'h265'
  inputProps?: Record<string, unknown>
  enableCancellation?: boolean
  webhook?: { url: string; secret: string | null; customData?: Record<string, unknown> } | null
}

interface Reference {
  region: AwsRegion
  bucketName: string
  renderId: string
}

export type Call = readonly [name: 'render' | 'progress' | 'cancel', input: unknown]

const key = Symbol.for('test.lambdaCalls')
const holder = globalThis as { [key]?: Call[] }
export const calls = (holder[key] ??= [])

export async function renderMediaOnLambda(input: RenderMediaInput): Promise<{ renderId: string; bucketName: string; cloudWatchLogs: string }> {
  calls.push(['render', input])
  const id = String(input.inputProps?.id)
  if (id.startsWith('refused')) throw new Error('Rate Exceeded')
  const renderId = `${id.startsWith('lost') ? 'lost' : 'render'}-${randomBytes(6).toString('hex')}`
  return { renderId, bucketName: 'remotionlambda-x', cloudWatchLogs: '' }
}

export async function getRenderProgress(input: Reference & { functionName: string; skipLambdaInvocation?: boolean }): Promise<{
  overallProgress: number
  done: boolean
  outputFile: string | null
  fatalErrorEncountered: boolean
  errors: { message: string; name: string; stack: string; isFatal: boolean; willRetry: boolean }[]
}> {
  calls.push(['progress', input])
  const done = input.renderId.startsWith('lost')
  return {
    overallProgress: done ? 1 : 0.5,
    done,
    outputFile: done ? `https://v.example/${input.renderId}.mp4` : null,
    fatalErrorEncountered: false,
    errors: []
  }
}

export async function cancelRenderOnLambda(input: Reference): Promise<void> {
  calls.push(['cancel', input])
}
