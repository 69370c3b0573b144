import { longestTimerMs } from '../timer.js'

export interface EventStreamOptions {
  /** How often the stream shows that the connection lives. 15 s. */
  readonly heartbeatMs?: number | undefined
  /** After how long a browser shall connect again. 3 s. */
  readonly retryMs?: number | undefined
  /**
   * After how long the stream closes at the latest, and the browser connects again. 4 minutes; keep it below the
   * `maxDuration` of the route.
   */
  readonly maxLifeMs?: number | undefined
}

/** How often a stream shows that it lives, where its options do not say. */
export const defaultHeartbeatMs = 15_000

/** What one viewer is told. */
export interface EventStreamSource {
  /** The text of the heartbeat. */
  readonly heartbeat: string
  /** Whether the stream closes when what waits is told. */
  readonly isOver: boolean
  /** The events that wait, as text; empty where none do. They wait no longer then. */
  drain(): string
  /**
   * Begins to call `onNews` when events have come, and `onEnd` when no more can come; the browser then connects again. Returns
   * what ends that.
   */
  listen(onNews: () => void, onEnd: () => void): () => void
}

const headers = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no'
}

/** Keeps each request for as long as its stream lives: one that is collected takes along the link to the signal it was made with. */
const requests = new WeakMap<ReadableStream, Request>()

/** The head of the response alone, as HEAD asks for it. */
export function eventStreamHead(): Response {
  return new Response(null, { headers })
}

/** The response that tells a viewer what the source gives, as Server-sent events. */
export function eventStream(request: Request, source: EventStreamSource, options: EventStreamOptions): Response {
  const body = streamed(source, request.signal, options)
  requests.set(body, request)
  return new Response(body, { headers })
}

function streamed(
  source: EventStreamSource,
  signal: AbortSignal,
  { heartbeatMs = defaultHeartbeatMs, retryMs = 3000, maxLifeMs = 240_000 }: EventStreamOptions
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let greeting = `retry: ${Math.round(retryMs)}\n\n`
  let heartbeatIsDue = false
  let stopped = false
  let stopListening: () => void = () => undefined
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
    signal.removeEventListener('abort', stop)
    stopListening()
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
    const text = greeting + source.drain() || (heartbeatIsDue ? source.heartbeat : '')
    greeting = ''
    heartbeatIsDue = false
    return text
  }

  signal.addEventListener('abort', stop, { once: true })
  stopListening = source.listen(wakeUp, stop)
  if (stopped) stopListening()

  return new ReadableStream<Uint8Array>(
    {
      // Called when the viewer has taken what it was given, so nothing queues up for a slow one.
      async pull(controller) {
        try {
          while (!stopped) {
            const text = nextText()
            if (text !== '') {
              controller.enqueue(encoder.encode(text))
              if (!source.isOver) return
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
