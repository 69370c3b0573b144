import { setTimeout as delay } from 'node:timers/promises'
import type { RenderStateClient } from '../client.js'
import { RenderStateError } from '../errors.js'
import type { ErrorKind } from '../errors.js'
import { messageOf } from '../fail-attempt.js'
import { ACTIVE_STATES } from '../wire.generated.js'
import { isActive } from './attempt.js'
import { backoff } from './pauses.js'
import type { PauseOptions } from './pauses.js'

export interface ActiveRendersOptions extends PauseOptions {
  readonly client: RenderStateClient
  readonly logger?: ((line: string) => void) | undefined
}

/** What does not pass by waiting. */
const finalKinds: readonly ErrorKind[] = ['closed', 'configuration', 'binaryNotFound', 'protocolMismatch']

/** Has every render of the store polled while it is active, by one watch of all of them. */
export class ActiveRenders {
  /** The renders that are being polled, with the seq of the newest change that they are known to be active by. */
  private readonly polled = new Map<string, number>()

  constructor(
    private readonly poll: (id: string) => Promise<unknown>,
    private readonly options: ActiveRendersOptions,
    private readonly stopped: AbortSignal
  ) {}

  /** Resolves when stopped, or when the client is closed. */
  async run(): Promise<void> {
    const { client } = this.options
    let failures = 0
    while (!this.stopped.aborted) {
      try {
        // The list may leave out a render that changes while it is read: the watch, which is older, tells that change.
        for await (const event of client.watch({ states: ACTIVE_STATES }, { signal: this.stopped })) {
          if (event.type === 'change') this.found(event.change.id, event.seq)
          else await this.list()
          failures = 0
        }
      } catch (error) {
        if (this.stopped.aborted || isOfKind(error, ['closed'])) return
        if (!(error instanceof RenderStateError) || isOfKind(error, finalKinds)) throw error
        await this.pauseAfter(error, 'the active renders', (failures += 1))
      }
    }
  }

  private async list(): Promise<void> {
    const { client } = this.options
    for await (const { id, seq } of client.allStatuses({ states: ACTIVE_STATES, limit: 1000, signal: this.stopped })) this.found(id, seq)
  }

  private found(id: string, seq: number): void {
    const known = this.polled.get(id)
    this.polled.set(id, Math.max(seq, known ?? 0))
    if (known === undefined) void this.keepPolling(id)
  }

  /** Never rejects. */
  private async keepPolling(id: string): Promise<void> {
    const { client } = this.options
    let failures = 0
    try {
      for (;;) {
        try {
          await this.poll(id)
          failures = 0
          // It may have been started again just when the polling ended.
          const { state, seq } = await client.getStatus(id, { fresh: true })
          if (!isActive(state) && seq >= (this.polled.get(id) ?? 0)) return
        } catch (error) {
          // What is final ends the watch, too, which tells it.
          if (this.stopped.aborted || isOfKind(error, finalKinds)) return
          await this.pauseAfter(error, JSON.stringify(id), (failures += 1))
        }
      }
    } finally {
      this.polled.delete(id)
    }
  }

  private async pauseAfter(error: unknown, what: string, failures: number): Promise<void> {
    this.options.logger?.(`polling ${what}: ${messageOf(error)}`)
    await delay(backoff(failures, this.options), null, { signal: this.stopped }).catch(() => null)
  }
}

function isOfKind(error: unknown, kinds: readonly ErrorKind[]): boolean {
  return error instanceof RenderStateError && kinds.includes(error.kind)
}
