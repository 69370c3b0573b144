import type { RenderStateClient } from './client.js'
import { ConflictError, InvalidTransitionError } from './errors.js'
import { ACTIVE_STATES } from './wire.generated.js'
import type { Status } from './wire.generated.js'

/** The most that the store keeps of an error. */
const errorLimit = 8192

/**
 * Ends the attempt as failed, unless it is over or another one has begun. Resolves with the render as it is then.
 *
 * @param error what was thrown
 */
export async function failAttempt(
  client: RenderStateClient,
  begun: Status,
  error: unknown,
  options: { readonly actor?: string | undefined; readonly timeoutMs?: number | undefined }
): Promise<Status> {
  const context = { error: messageOf(error) }
  let status = begun
  while (isSameAttempt(status, begun) && ACTIVE_STATES.includes(status.state)) {
    try {
      return (await client.transition(begun.id, 'fail', { ...options, context, expectedVersion: status.version })).status
    } catch (refusal) {
      if (!(refusal instanceof ConflictError) && !(refusal instanceof InvalidTransitionError)) throw refusal
      // It has changed since it was read.
      status = refusal.status
    }
  }
  return status
}

/** Whether both are of one attempt of a render. The number of an attempt comes again in the next run. */
export function isSameAttempt(one: Pick<Status, 'run' | 'attempt'>, other: Pick<Status, 'run' | 'attempt'>): boolean {
  return one.run === other.run && one.attempt === other.attempt
}

/** What an error says, for the `error` of a render and for logs. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : error
  return storable(message) ?? 'it failed without saying why'
}

/** Text of others that can be stored: not endless, and without halves of characters. Null where it is none. */
export function storable(text: unknown): string | null {
  if (typeof text !== 'string' || text === '') return null
  return new TextDecoder().decode(new TextEncoder().encode(text.slice(0, errorLimit)))
}
