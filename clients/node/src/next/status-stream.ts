import type { RenderStateClient } from '../client.js'
import { closedError } from '../supervisor.js'
import { longestTimerMs } from '../timer.js'
import type { WatchEvent } from '../watch.js'
import { TERMINAL_STATES } from '../wire.generated.js'
import type { Status } from '../wire.generated.js'
import { statusAnswer } from './status-answer.js'
import type { ToAnswer } from './status-answer.js'
import { StatusEvents } from './status-events.js'

export interface StatusStreamOptions {
  /** What a browser may see of a status: the data of the events. Without it: `statusAnswer`. */
  readonly answer?: ToAnswer | undefined
  /** How often a comment shows that the connection lives. 15 s. */
  readonly heartbeatMs?: number | undefined
  /** After how long a browser shall connect again. 3 s. */
  readonly retryMs?: number | undefined
  /**
   * After how long the stream closes at the latest, and the browser connects again. 4 minutes; keep it below the
   * `maxDuration` of the route.
   */
  readonly maxLifeMs?: number | undefined
}

const headers = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no'
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
      return new Response(null, { headers })
    }
  } catch (error) {
    await watch.return?.()
    throw error
  }
  const body = streamed(watch, events, options)
  requests.set(body, request)
  return new Response(body, { headers })
}

/** Keeps each request for as long as its stream lives: one that is collected takes along the link to the signal it was made with. */
const requests = new WeakMap<ReadableStream, Request>()

function isOver({ state }: Status): boolean {
  return TERMINAL_STATES.includes(state)
}

/** The seq that the browser says it has; 0 where it says none, or one that cannot be. */
function toldSeq(request: Request, newestSeq: number): number {
  const given = request.headers.get('Last-Event-ID') ?? ''
  const seq = /^[0-9]{1,16}$/.test(given) ? Number(given) : 0
  return seq <= newestSeq ? seq : 0
}

function streamed(
  watch: AsyncIterableIterator<WatchEvent>,
  events: StatusEvents,
  { heartbeatMs = 15_000, retryMs = 3000, maxLifeMs = 240_000 }: StatusStreamOptions
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let greeting = `retry: ${Math.round(retryMs)}\n\n`
  let heartbeatIsDue = false
  let stopped = false
  let wake: (() => void) | null = null

  const wakeUp = () => {
    wake?.()
    wake = null
  }
  const stop = () => {
    if (stopped) return
    stopped = true
    clearInterval(heartbeat)
    clearTimeout(life)
    void watch.return?.()
    wakeUp()
  }
  const heartbeat = setInterval(() => {
    heartbeatIsDue = true
    wakeUp()
  }, Math.min(heartbeatMs, longestTimerMs))
  // Not all at once, where many have come at once.
  const life = setTimeout(stop, Math.min(maxLifeMs * (1 - Math.random() / 10), longestTimerMs))
  heartbeat.unref()
  life.unref()

  const nextText = () => {
    const text = greeting + events.drain() || (heartbeatIsDue ? ': alive\n\n' : '')
    greeting = ''
    heartbeatIsDue = false
    return text
  }

  const listen = async () => {
    try {
      for await (const event of watch) {
        events.take(event)
        wakeUp()
      }
    } catch {
      // Aborted, or the sidecar was given up: the browser connects again, and that request is answered with the reason.
    }
    stop()
  }
  void listen()

  return new ReadableStream<Uint8Array>(
    {
      // Called when the viewer has taken what it was given, so nothing queues up for a slow one.
      async pull(controller) {
        try {
          while (!stopped) {
            const text = nextText()
            if (text !== '') {
              controller.enqueue(encoder.encode(text))
              if (!events.areOver) return
              stop()
            } else {
              await new Promise<void>((resolve) => (wake = resolve))
            }
          }
          controller.close()
        } catch (error) {
          // The viewer has gone meanwhile, or there is no answer to be made of a status.
          stop()
          throw error
        }
      },
      cancel: stop
    },
    { highWaterMark: 0 }
  )
}
