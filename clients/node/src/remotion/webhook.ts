import type { RenderStateClient } from '../client.js'
import { RenderStateError } from '../errors.js'
import type { Status } from '../wire.generated.js'
import { isActive, isUnstorable, report } from './attempt.js'
import type { Attempt, Reported } from './attempt.js'
import { fatalMessage, outcomeOf, videoUrlOf } from './outcome.js'
import type { RenderSite } from './video-renderer.js'
import { isSignatureOf } from './webhook-signature.js'

export interface RemotionWebhookOptions {
  readonly client: RenderStateClient
  /** The `secret` of the webhook that the renderer was given. */
  readonly secret: string
  /** Where a webhook of type timeout looks whether the video is there all the same. Without it, it fails the render at once. */
  readonly site?: RenderSite | undefined
  /** Also process what Remotion's page for trying out webhooks sends. */
  readonly allowDemo?: boolean | undefined
  /** Also process webhooks without a signature: then anybody can end a render. A wrong signature is refused all the same. */
  readonly allowUnsigned?: boolean | undefined
  /** Beyond it a body is refused. 256 KiB if absent. */
  readonly maxBodyBytes?: number | undefined
  /** How long the store, and the look after a timeout, may take: the renderer hangs up after 5 s. 2,000 if absent. */
  readonly timeoutMs?: number | undefined
  /** Who it was, in the history. */
  readonly actor?: string | undefined
}

interface WebhookBody {
  readonly type: 'success' | 'error' | 'timeout'
  readonly renderId: string
  readonly bucketName: string | null
  readonly attempt: Omit<Attempt, 'renderId' | 'bucketName'> | null
  readonly outputUrl: unknown
  readonly outputFile: unknown
  readonly errors: unknown
}

/** A refusal that is answered as it is. */
class Refusal extends Error {
  constructor(readonly httpStatus: number, message: string) {
    super(message)
  }
}

/**
 * The route that Remotion Lambda's webhooks go to.
 *
 * 200 says that the webhook needs no further try: it took effect, or came late or twice, or is of no render of ours. 4xx says
 * that it is refused, and 503 that the store or the look after a timeout failed, so that it should come again.
 */
export function createRemotionWebhookRoute(options: RemotionWebhookOptions): (request: Request) => Promise<Response> {
  if (!options.secret && !options.allowUnsigned) {
    throw new RenderStateError('configuration', 'the webhook route needs the secret that the renderer signs with')
  }
  return async (request) => {
    try {
      return answer(200, await receive(request, options))
    } catch (error) {
      if (error instanceof Refusal) return answer(error.httpStatus, { error: error.message })
      if (!(error instanceof RenderStateError)) throw error
      if (isUnstorable(error)) return answer(400, { error: 'the store refuses these values' })
      return answer(503, { error: 'the state of renders is not to be had now' })
    }
  }
}

async function receive(request: Request, options: RemotionWebhookOptions): Promise<{ readonly applied: boolean }> {
  if (request.method !== 'POST') throw new Refusal(405, 'webhooks are sent by POST')
  const raw = await readBody(request, options.maxBodyBytes ?? 256 * 1024)
  authenticate(request.headers, raw, options)
  const body = parse(raw)
  // Of a render that somebody else has started.
  if (body.attempt === null) return { applied: false }
  const { renderId, bucketName } = body
  const { applied } = await take(body, { ...body.attempt, renderId, bucketName }, options)
  return { applied }
}

async function take(body: WebhookBody, attempt: Attempt, options: RemotionWebhookOptions): Promise<Reported> {
  const { client, site, timeoutMs = 2000, actor = 'webhook' } = options
  const { type, renderId, bucketName } = body
  const common = { actor, timeoutMs, idempotencyKey: `${renderId}:${type}` }
  const location = { bucketName, region: site?.region ?? null }
  if (type === 'success') {
    const videoUrl = videoUrlOf([body.outputUrl, body.outputFile], location)
    return report(client, attempt, 'complete', { videoUrl, bucketName }, common)
  }
  if (type === 'error') return report(client, attempt, 'fail', { error: fatalMessage(body.errors), bucketName }, common)

  // Only of a render that still runs: a look is paid for.
  const known = await client.getStatus(attempt.id, { fresh: true, timeoutMs })
  if (site && bucketName !== null && mayConcern(known, attempt)) {
    const { renderer, region, functionName } = site
    const look = renderer.getRenderProgress({ renderId, bucketName, region, functionName })
    const outcome = outcomeOf(await within(look, timeoutMs), location)
    if (outcome.type === 'done') return report(client, attempt, 'complete', { videoUrl: outcome.videoUrl, bucketName }, common)
  }
  // Another event than that of a timeout whose video was there: it needs a key of its own.
  const failed = { ...common, idempotencyKey: `${renderId}:timeout:fail` }
  return report(client, attempt, 'fail', { error: 'the renderer ran out of time', bucketName }, failed)
}

/** Whether a report of this attempt could still change the render. */
function mayConcern(status: Status, { run, attempt, renderId }: Attempt): boolean {
  const isIts = (run ?? status.run) === status.run && (attempt ?? status.attempt) === status.attempt
  return isActive(status.state) && isIts && (status.renderId ?? renderId) === renderId
}

function authenticate(headers: Headers, raw: Uint8Array, options: RemotionWebhookOptions): void {
  const signature = headers.get('x-remotion-signature')
  const isUnsigned = signature === null || signature === 'NO_SECRET_PROVIDED'
  if (isUnsigned ? !options.allowUnsigned : !options.secret || !isSignatureOf(signature, raw, options.secret)) {
    throw new Refusal(401, 'the signature is missing or wrong')
  }
  if (headers.get('x-remotion-mode') === 'demo' && !options.allowDemo) throw new Refusal(403, 'demo webhooks are refused')
}

/** The body as it came: the signature is over its bytes. */
async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length')) > maxBytes) throw new Refusal(413, 'the body is too large')
  if (!request.body) return new Uint8Array()
  const pieces: Uint8Array[] = []
  let length = 0
  const reader = request.body.getReader()
  for (;;) {
    const { value, done } = await reader.read().catch(() => {
      throw new Refusal(400, 'the body ended too early')
    })
    if (done) return Buffer.concat(pieces)
    length += value.byteLength
    if (length > maxBytes) {
      void reader.cancel().catch(() => null)
      throw new Refusal(413, 'the body is too large')
    }
    pieces.push(value)
  }
}

function parse(raw: Uint8Array): WebhookBody {
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw))
  } catch {
    throw new Refusal(400, 'the body is not JSON')
  }
  const { type, renderId, bucketName, customData, outputUrl, outputFile, errors } = (body ?? {}) as { [key: string]: unknown }
  if (type !== 'success' && type !== 'error' && type !== 'timeout') throw new Refusal(400, 'the type of the webhook is not known')
  // With room for the rest of an idempotency key.
  if (typeof renderId !== 'string' || renderId === '' || Buffer.byteLength(renderId) > 180) {
    throw new Refusal(400, 'the webhook names no renderId')
  }
  const bucket = typeof bucketName === 'string' && bucketName !== '' ? bucketName : null
  return { type, renderId, bucketName: bucket, attempt: parseCustomData(customData), outputUrl, outputFile, errors }
}

function parseCustomData(customData: unknown): WebhookBody['attempt'] {
  const { id, run, attempt } = (customData ?? {}) as { [key: string]: unknown }
  if (typeof id !== 'string' || id === '') return null
  const counter = (value: unknown) => (Number.isSafeInteger(value) ? (value as number) : null)
  try {
    return { id: decodeURIComponent(id), run: counter(run), attempt: counter(attempt) }
  } catch {
    throw new Refusal(400, 'the id in customData is not encoded as startRender does')
  }
}

/** The promise, or a refusal that makes the webhook come again. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, ms, new Error('late'))
  })
  try {
    return await Promise.race([promise, late])
  } catch {
    throw new Refusal(503, 'the renderer could not be asked')
  } finally {
    clearTimeout(timer)
  }
}

function answer(status: number, body: object): Response {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return new Response(JSON.stringify(body), { status, headers })
}
