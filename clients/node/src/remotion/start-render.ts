import type { CallOptions, RegenerateOptions, RenderStateClient, TransitionOptions } from '../client.js'
import { InvalidTransitionError, RenderStateError } from '../errors.js'
import { failAttempt, isSameAttempt } from '../fail-attempt.js'
import type { Status, TransitionResult } from '../wire.generated.js'
import { adopt, idToCustomData, isActive, refusedWith } from './attempt.js'
import { stopRender } from './stop-render.js'
import type { RenderInput, RenderWebhook, StartedRender, VideoRenderer } from './video-renderer.js'

export interface BeginRenderOptions extends CallOptions {
  /** Where the renderer reports its end. Its customData are `{id, run, attempt}`. */
  readonly webhook?: Omit<RenderWebhook, 'customData'> | undefined
  /** Who it was, in the history. */
  readonly actor?: string | undefined
}

export interface StartRenderOptions
  extends BeginRenderOptions,
    Omit<TransitionOptions, 'actor' | 'context' | 'idempotencyKey' | 'expectedAttempt'> {
  /**
   * How the render is claimed. `start` (the default): one that is idle or failed. `regenerate`: one that has ended, as a new
   * run. `either`: one that is completed as a new run, else `start`.
   */
  readonly claim?: 'start' | 'regenerate' | 'either' | undefined
  readonly metadata?: { readonly [key: string]: unknown } | undefined
}

/**
 * - `started`: the renderer is at work.
 * - `failed`: the renderer refused, and the render is failed; `error` is what it threw, or says that it named no render.
 * - `superseded`: the render was cancelled or started anew while the renderer was called, and the renderer was told to stop.
 */
export type BeginRenderResult =
  | { readonly outcome: 'started'; readonly status: Status; readonly render: StartedRender }
  | { readonly outcome: 'failed'; readonly status: Status; readonly error: unknown }
  | { readonly outcome: 'superseded'; readonly status: Status; readonly render: StartedRender }

/** `refused`: the render was not to be had, and the renderer was not called; `status` says what is there instead. */
export type StartRenderResult = BeginRenderResult | { readonly outcome: 'refused'; readonly status: Status }

/**
 * Claims the render, then calls the renderer, then reports its renderId: of any number of callers one pays.
 *
 * Rejects where the store is not to be had. If that happens after the renderer was called, its webhook makes the
 * renderId known later on.
 */
export async function startRender<Input extends RenderInput>(
  client: RenderStateClient,
  renderer: VideoRenderer<Input>,
  id: string,
  // Checked against the renderer's own type, and not a source of it.
  input: Input & {},
  options: StartRenderOptions = {}
): Promise<StartRenderResult> {
  const { claim = 'start', webhook, metadata, ...rest } = options
  const { signal, timeoutMs } = rest
  const actor = rest.actor ?? 'startRender'
  // Without an idempotency key of the caller, so that a claim that is answered as replayed is this very one.
  const context = metadata === undefined ? undefined : { metadata }
  const claimed = await take(client, id, claim, { ...rest, actor, ...(context && { context }) })
  // A replayed claim brings the status of now, which may be a later attempt's.
  if (!('version' in claimed) || claimed.status.version !== claimed.version) return { outcome: 'refused', status: claimed.status }
  return beginRender(client, renderer, claimed.status, input, { webhook, actor, signal, timeoutMs })
}

/**
 * The second half of `startRender`, for a render that the caller has claimed, as in `onStart` of `createRegenerateRoute`: calls
 * the renderer, then reports its renderId.
 *
 * @param claimed the status that the claim was answered with; each claim is to be begun once
 */
export async function beginRender<Input extends RenderInput>(
  client: RenderStateClient,
  renderer: VideoRenderer<Input>,
  claimed: Status,
  input: Input & {},
  { webhook, actor = 'beginRender', signal, timeoutMs }: BeginRenderOptions = {}
): Promise<BeginRenderResult> {
  const { id, run, attempt } = claimed
  if (!isActive(claimed.state) || claimed.renderId !== null) {
    throw new RenderStateError('configuration', `there is nothing to begin: claim the render first; it is ${claimed.state}`)
  }
  let render: StartedRender
  try {
    signal?.throwIfAborted()
    const customData = { id: idToCustomData(id), run, attempt }
    render = named(await renderer.renderMediaOnLambda(webhook ? { ...input, webhook: { ...webhook, customData } } : input))
  } catch (error) {
    return { outcome: 'failed', status: await failAttempt(client, claimed, error, { actor, timeoutMs }), error }
  }
  const { renderId, bucketName } = render
  const { applied, status } = await adopt(client, { id, run, attempt, renderId, bucketName }, { actor, timeoutMs })
  // Over already, but by this very render: its webhook was faster.
  if (applied || (isSameAttempt(status, claimed) && status.renderId === renderId && status.lastEvent !== 'cancel')) {
    return { outcome: 'started', status, render }
  }
  // Nobody waits for this render: whether it can be stopped is not the caller's concern.
  try {
    await stopRender(renderer, render, input)
  } catch {
    // It runs to its end, and the store refuses its reports.
  }
  return { outcome: 'superseded', status, render }
}

/** An answer that names no render the store can know: nobody could ever ask how it goes. */
function named(render: StartedRender): StartedRender {
  for (const name of [render?.renderId, render?.bucketName]) {
    if (typeof name !== 'string' || !/^[^\p{Cc}\p{Cs}]+$/u.test(name) || Buffer.byteLength(name) > 200) {
      throw new Error('the renderer answered without a renderId and a bucketName that can be stored')
    }
  }
  return render
}

async function take(
  client: RenderStateClient,
  id: string,
  claim: 'start' | 'regenerate' | 'either',
  options: RegenerateOptions
): Promise<TransitionResult | { readonly status: Status }> {
  try {
    if (claim === 'regenerate') return await client.regenerate(id, options)
    return await client.transition(id, 'start', options)
  } catch (error) {
    const status = refusedWith(error)
    if (claim !== 'either' || !(error instanceof InvalidTransitionError) || status.state !== 'completed') return { status }
    // Of that very video: one that was made meanwhile is not thrown away.
    return client
      .regenerate(id, { ...options, expectedVersion: status.version })
      .catch((refusal: unknown) => ({ status: refusedWith(refusal) }))
  }
}
