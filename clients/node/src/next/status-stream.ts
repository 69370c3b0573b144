import type { RenderStateClient } from '../client.js'
import { closedError } from '../supervisor.js'
import type { WatchEvent } from '../watch.js'
import { TERMINAL_STATES } from '../wire.generated.js'
import type { Status } from '../wire.generated.js'
import { eventStream, eventStreamHead } from './event-stream.js'
import type { EventStreamOptions, EventStreamSource } from './event-stream.js'
import { statusAnswer } from './status-answer.js'
import type { ToAnswer } from './status-answer.js'
import { StatusEvents } from './status-events.js'

export interface StatusStreamOptions extends EventStreamOptions {
  /** What a browser may see of a status: the data of the events. Without it: `statusAnswer`. */
  readonly answer?: ToAnswer | undefined
}

/**
 * The status of one render, or of many on one connection, as Server-sent events: `status` with the answer as JSON (with
 * many also the `id`), and `end` when all of them have ended; then the stream closes.
 *
 * The `id` of an event is the seq of the change. Who comes back with it as `Last-Event-ID` is told of each render that has
 * changed since; who has been told everything of renders that have ended gets 204, which stops the browser. Resolves
 * when the renders are known, and rejects where they cannot be read.
 *
 * It does not ask who is allowed to see them: do so before.
 */
export async function statusStream(
  client: RenderStateClient,
  request: Request,
  target: string | readonly string[],
  options: StatusStreamOptions = {}
): Promise<Response> {
  const { answer = statusAnswer } = options
  const { signal } = request
  // Sorted, so that all viewers of the same renders share one subscription.
  const ids = typeof target === 'string' ? [target] : [...new Set(target)].sort()
  const events = new StatusEvents(ids, typeof target === 'string' ? answer : (status) => ({ id: status.id, ...answer(status) }))
  const watch = client.watch({ ids }, { signal })
  try {
    const { value: first } = await watch.next()
    if (first?.type !== 'snapshot') throw closedError()
    // The change that began a new run in another process may be on its way: look once more before saying that it is over.
    const statuses = first.statuses.every(isOver) ? await client.getStatuses(ids, { fresh: true, signal }) : first.statuses
    events.takeSnapshot(first.seq, statuses, toldSeq(request, first.seq))
    if (events.areOver && events.isEmpty) {
      await watch.return?.()
      return new Response(null, { status: 204, headers: { 'Cache-Control': 'no-store' } })
    }
    if (request.method === 'HEAD') {
      await watch.return?.()
      return eventStreamHead()
    }
  } catch (error) {
    await watch.return?.()
    throw error
  }
  return eventStream(request, sourceOf(watch, events), options)
}

function isOver({ state }: Status): boolean {
  return TERMINAL_STATES.includes(state)
}

/** The seq that the browser says it has; 0 where it says none, or one that cannot be. */
function toldSeq(request: Request, newestSeq: number): number {
  const given = request.headers.get('Last-Event-ID') ?? ''
  const seq = /^[0-9]{1,16}$/.test(given) ? Number(given) : 0
  return seq <= newestSeq ? seq : 0
}

function sourceOf(watch: AsyncIterableIterator<WatchEvent>, events: StatusEvents): EventStreamSource {
  const read = async (onNews: () => void) => {
    for await (const event of watch) {
      events.take(event)
      onNews()
    }
  }
  return {
    heartbeat: ': alive\n\n',
    get isOver() {
      return events.areOver
    },
    drain: () => events.drain(),
    listen: (onNews, onEnd) => {
      // Aborted, or the sidecar was given up: the browser connects again, and that request is answered with the reason.
      read(onNews).then(onEnd, onEnd)
      return () => void watch.return?.()
    }
  }
}
