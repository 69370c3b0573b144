import type { RegenerateOptions, RenderStateClient, TransitionOptions } from '../client.js'
import type { Status, TransitionResult } from '../wire.generated.js'
import { ConflictError, InvalidTransitionError } from '../errors.js'
import { adopt, idToCustomData, isActive, isAttempt, refusedWith } from './attempt.js'
import type { RenderInput, RenderWebhook, StartedRender, VideoRenderer } from './video-renderer.js'

export interface StartRenderOptions extends Omit<TransitionOptions, 'context' | 'idempotencyKey' | 'expectedAttempt'> {
  /**
   * How the render is claimed. `start` (the default): one that is idle or failed. `regenerate`: one that has ended, as a new
   * run. `either`: one that is completed as a new run, else `start`.
   */
  readonly claim?: 'start' | 'regenerate' | 'either' | undefined
  /** Where the renderer reports its end. Its customData are `{id, run, attempt}`. */
  readonly webhook?: Omit<RenderWebhook, 'customData'> | undefined
  readonly metadata?: { readonly [key: string]: unknown } | undefined
}

/**
 * - `started`: the renderer is at work.
 * - `refused`: the render was not to be had, and the renderer was not called; `status` says what is there instead.
 * - `failed`: the renderer refused, and the render is failed; `error` is what it threw.
 * - `superseded`: the render was cancelled or started anew while the renderer was called, and the renderer was told to stop.
 */
export type StartRenderResult =
  | { readonly outcome: 'started'; readonly status: Status; readonly render: StartedRender }
  | { readonly outcome: 'refused'; readonly status: Status }
  | { readonly outcome: 'failed'; readonly status: Status; readonly error: unknown }
  | { readonly outcome: 'superseded'; readonly status: Status; readonly render: StartedRender }

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
  if (!('version' in claimed)) return { outcome: 'refused', status: claimed.status }

  const { run, attempt } = claimed.status
  // A replayed claim brings the status of now, which may be a later attempt's.
  if (claimed.status.version !== claimed.version) return { outcome: 'refused', status: claimed.status }
  let render: StartedRender
  try {
    signal?.throwIfAborted()
    const customData = { id: idToCustomData(id), run, attempt }
    render = await renderer.renderMediaOnLambda(webhook ? { ...input, webhook: { ...webhook, customData } } : input)
  } catch (error) {
    return { outcome: 'failed', status: await failClaim(client, claimed.status, messageOf(error), { actor, timeoutMs }), error }
  }
  const { renderId, bucketName } = render
  const known = await adopt(client, { id, run, attempt, renderId, bucketName }, { actor, timeoutMs })
  const { status } = known
  // Over already, but by this very render: its webhook was faster.
  if (known.applied || (isAttempt(status, run, attempt) && status.renderId === renderId && status.lastEvent !== 'cancel')) {
    return { outcome: 'started', status, render }
  }
  const { region } = input
  // Nobody waits for this render: whether it can be stopped is not the caller's concern.
  try {
    await renderer.cancelRenderOnLambda?.({ renderId, bucketName, region })
  } catch {
    // It runs to its end, and the store refuses its reports.
  }
  return { outcome: 'superseded', status, render }
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

/** Ends the attempt that the renderer did not want, unless it is over already. */
async function failClaim(
  client: RenderStateClient,
  claimed: Status,
  error: string,
  options: { readonly actor: string; readonly timeoutMs: number | undefined }
): Promise<Status> {
  let status = claimed
  while (isAttempt(status, claimed.run, claimed.attempt) && isActive(status.state)) {
    try {
      const expectedVersion = status.version
      return (await client.transition(claimed.id, 'fail', { ...options, context: { error }, expectedVersion })).status
    } catch (refusal) {
      status = refusedWith(refusal)
      if (!(refusal instanceof ConflictError)) break
    }
  }
  return status
}

/** What an error says, for the `error` of a render. */
export function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
