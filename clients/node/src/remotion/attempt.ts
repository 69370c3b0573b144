import type { RenderStateClient } from '../client.js'
import { ConflictError, InvalidTransitionError, RenderStateError, StaleRenderError } from '../errors.js'
import { isSameAttempt } from '../fail-attempt.js'
import { ACTIVE_STATES } from '../wire.generated.js'
import type { Context, Event, State, Status } from '../wire.generated.js'

/** One attempt of a render, and what the renderer calls it. */
export interface Attempt {
  readonly id: string
  /** Null where the report does not say it: then only a renderId that the store knows proves whose it is. */
  readonly run: number | null
  readonly attempt: number | null
  readonly renderId: string
  readonly bucketName: string | null
}

export interface Reported {
  /** False where the store's attempt is another one, or over. */
  readonly applied: boolean
  readonly status: Status
}

export interface ReportOptions {
  readonly actor: string
  readonly idempotencyKey?: string | undefined
  readonly timeoutMs?: number | undefined
}

/** The id of a render as customData carries it: ASCII, whatever the id. */
export const idToCustomData = (id: string): string => encodeURIComponent(id)

export const isActive = (state: State): boolean => ACTIVE_STATES.includes(state)

/** Whether the store can take no such values, however often it is asked. */
export function isUnstorable(error: unknown): boolean {
  return error instanceof RenderStateError && ['invalidParams', 'invalidRequest', 'parseError'].includes(error.kind)
}

/** The status that a refusal brought along; every other error is thrown on. */
export function refusedWith(error: unknown): Status {
  if (error instanceof InvalidTransitionError || error instanceof ConflictError || error instanceof StaleRenderError) {
    return error.status
  }
  throw error
}

/**
 * Makes the renderId known to the store if it is not yet: a webhook may be faster than the answer to the call
 * that started its render. The store accepts `complete` only after that.
 */
export async function adopt(client: RenderStateClient, attempt: Attempt, options: ReportOptions): Promise<Reported> {
  const { id, run, renderId, bucketName } = attempt
  const { actor, timeoutMs } = options
  for (;;) {
    const status = await client.getStatus(id, { fresh: true, timeoutMs })
    const isKnown = status.renderId === renderId
    const isOther = run !== null && attempt.attempt !== null ? !isSameAttempt(status, { run, attempt: attempt.attempt }) : !isKnown
    if (isOther || !isActive(status.state) || (status.renderId !== null && !isKnown)) return { applied: false, status }
    if (isKnown && status.state === 'rendering') return { applied: true, status }
    try {
      // The version holds the run: the number of an attempt comes again in the next one.
      const result = await client.transition(id, 'progress', {
        context: { renderId, bucketName },
        expectedVersion: status.version,
        actor,
        timeoutMs
      })
      return { applied: true, status: result.status }
    } catch (error) {
      // Somebody was faster, perhaps with the same report.
      if (!(error instanceof ConflictError)) return { applied: false, status: refusedWith(error) }
    }
  }
}

/** Reports an event of the renderer. One that comes too late, or a second time, changes nothing. */
export async function report(
  client: RenderStateClient,
  attempt: Attempt,
  event: Event,
  context: Context,
  options: ReportOptions
): Promise<Reported> {
  const known = await adopt(client, attempt, options)
  if (!known.applied) return known
  try {
    const { renderId } = attempt
    const result = await client.transition(attempt.id, event, {
      ...options,
      context: { ...context, renderId },
      expectedAttempt: known.status.attempt
    })
    return { applied: !result.replayed, status: result.status }
  } catch (error) {
    return { applied: false, status: refusedWith(error) }
  }
}
