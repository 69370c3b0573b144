import { RenderStateError, errorFromWire } from './errors.js'
import type { WireError } from './errors.js'
import { longestTimerMs } from './timer.js'
import { ERROR_CODES } from './wire.generated.js'

/** Where the lines go. False: hold further text back until `drained` is called. */
export interface Outlet {
  write(text: string): boolean
}

/** A message from the sidecar that has an id, or has none that could be read. */
export interface Response {
  readonly id: number | string | null
  readonly result?: unknown
  readonly error?: WireError
}

/** How one request is to be treated. */
export interface RequestOptions {
  /** Reject with kind timeout after this many milliseconds. Without it there is no timer at all. */
  readonly timeoutMs?: number | undefined
  /** Reject with the signal's reason when it aborts. What was sent already may take effect. */
  readonly signal?: AbortSignal | undefined
}

/** What the client's own parts ask of a request besides. */
export interface InternalRequestOptions extends RequestOptions {
  /** Belongs to the process it is sent to: rejected when that dies, where others are sent again. */
  readonly perProcess?: boolean
  /** Goes before everything that waits. */
  readonly first?: boolean
  /** Called with the result while the line is handled: before any later line, and before the promise settles. */
  readonly onResult?: (result: never) => void
  readonly onError?: (error: RenderStateError) => void
}

interface QueuedRequest {
  readonly id: number
  readonly line: string
  readonly bytes: number
  readonly options: InternalRequestOptions
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
  /** Whether its promise still waits. */
  open: boolean
  stopWatching: (() => void) | null
}

/** How much text goes to the pipe at once, at most. */
const writeLimit = 256 * 1024
const lineEnd = '}\n'

/**
 * The requests that have no answer yet: those that wait to be sent and those that were.
 *
 * It outlives the process it sends to: after `detach` and `attach` what was in flight is sent again, in
 * the same order, before what came later. Lines of one turn of the event loop leave as one write.
 */
export class RequestQueue {
  private nextId = 1
  private waiting: QueuedRequest[] = []
  /** In the order of sending, which is the order in which the sidecar answers. */
  private readonly sent = new Map<number, QueuedRequest>()
  /** Lines that get no answer, and do not outlive the process. */
  private notifications = ''
  private outlet: Outlet | null = null
  private blocked = false
  private flushScheduled = false
  private openRequests = 0
  /** Of all that waits here, abandoned requests included: a sidecar that hangs must not make this grow. */
  private pendingBytes = 0
  private answered = 0

  /**
   * `onBusy` tells whether any promise waits: true with the first one, false after the last one.
   * More than `maxPendingBytes` that wait for an answer are refused with kind overloaded.
   */
  constructor(
    private readonly maxPendingBytes: number,
    private readonly onBusy: (busy: boolean) => void
  ) {}

  /** How many promises wait. */
  get size(): number {
    return this.openRequests
  }

  /** How much waits here, abandoned requests included. */
  get bytes(): number {
    return this.pendingBytes
  }

  /** How many requests that outlive a process this process has answered. */
  get answeredSinceAttach(): number {
    return this.answered
  }

  send<Result>(method: string, params: unknown, options: InternalRequestOptions): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      options.signal?.throwIfAborted()
      const id = this.nextId++
      const text = encoded(params)
      if (typeof text !== 'string') {
        options.onError?.(text)
        throw text
      }
      const line = `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${text}${lineEnd}`
      const bytes = Buffer.byteLength(line)
      // A single request is let through whatever its size: the sidecar says what is wrong with it. So are those of
      // the client's own parts: they are few and short.
      const full = this.pendingBytes > 0 && this.pendingBytes + bytes > this.maxPendingBytes
      if (full && !options.perProcess) {
        throw new RenderStateError(
          'overloaded',
          `${this.pendingBytes} bytes of requests wait for the sidecar already; await answers before you send more`
        )
      }
      const request: QueuedRequest = { id, line, bytes, options, resolve, reject, open: true, stopWatching: null }
      if (options.signal || options.timeoutMs !== undefined) this.watchDeadline(request, method, params)
      if (options.first) this.waiting.unshift(request)
      else this.waiting.push(request)
      this.pendingBytes += bytes
      if (this.openRequests++ === 0) this.onBusy(true)
      this.scheduleFlush()
    })
  }

  /** Sends a message that gets no answer, if there is a process; else it is not needed. */
  notify(method: string, params: unknown): void {
    if (this.outlet === null) return
    this.notifications += `{"jsonrpc":"2.0","method":"${method}","params":${JSON.stringify(params)}${lineEnd}`
    this.scheduleFlush()
  }

  /** From now on lines go there; those that were in flight go first. */
  attach(outlet: Outlet): void {
    this.outlet = outlet
    this.blocked = false
    this.answered = 0
    this.flush()
  }

  /** The process is gone: what was in flight waits again, at the front. */
  detach(): void {
    this.outlet = null
    this.notifications = ''
    const all = [...this.sent.values(), ...this.waiting]
    this.sent.clear()
    this.waiting = []
    for (const request of all) {
      const { perProcess } = request.options
      if (perProcess) this.settle(request, () => request.reject(processGone()))
      if (request.open) this.waiting.push(request)
      else this.pendingBytes -= request.bytes
    }
  }

  /** The outlet takes text again. */
  drained(): void {
    this.blocked = false
    this.flush()
  }

  /** Takes an answer in. False if nothing was asked that it could answer. */
  receive({ id, result, error }: Response): boolean {
    // A line that could not be read is answered without its id. Answers come in the order of the requests.
    const request = id === null ? first(this.sent.values()) : this.sent.get(id as number)
    if (request === undefined) return false
    // Not carried out, because the process is about to end: stays in flight, for the next process.
    if (error?.code === -32007 && !request.options.perProcess) return true
    this.sent.delete(request.id)
    this.pendingBytes -= request.bytes
    if (!request.options.perProcess) this.answered += 1
    if (error) {
      const failure = errorFromWire(error)
      request.options.onError?.(failure)
      this.settle(request, () => request.reject(failure))
    } else {
      request.options.onResult?.(result as never)
      this.settle(request, () => request.resolve(result as never))
    }
    return true
  }

  /** Rejects everything that waits, with an error that `makeError` makes for each. */
  rejectAll(makeError: () => RenderStateError): void {
    for (const request of [...this.sent.values(), ...this.waiting]) {
      if (!request.open) continue
      this.settle(request, () => {
        const error = makeError()
        request.options.onError?.(error)
        request.reject(error)
      })
    }
    for (const { bytes } of this.waiting) this.pendingBytes -= bytes
    this.waiting = []
  }

  private settle(request: QueuedRequest, tell: () => void): void {
    // What was abandoned by its caller stays in flight until its answer comes, and tells nobody.
    if (!request.open) return
    request.open = false
    request.stopWatching?.()
    tell()
    if (--this.openRequests === 0) this.onBusy(false)
  }

  private watchDeadline(request: QueuedRequest, method: string, params: unknown): void {
    const { signal, timeoutMs } = request.options
    const abort = () => this.settle(request, () => request.reject(signal?.reason))
    const expire = () => {
      this.settle(request, () => request.reject(timedOut(method, params, timeoutMs)))
    }
    const timer = timeoutMs === undefined ? undefined : setTimeout(expire, Math.min(timeoutMs, longestTimerMs))
    signal?.addEventListener('abort', abort, { once: true })
    request.stopWatching = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  private scheduleFlush(): void {
    if (this.flushScheduled || this.outlet === null) return
    this.flushScheduled = true
    // An immediate comes after all the callbacks and promises of this turn: their lines leave together.
    setImmediate(() => {
      this.flushScheduled = false
      this.flush()
    })
  }

  private flush(): void {
    while (this.outlet !== null && !this.blocked) {
      const text = this.takeText()
      if (text === '') return
      if (!this.outlet.write(text)) this.blocked = true
    }
  }

  private takeText(): string {
    let text = this.notifications
    this.notifications = ''
    let taken = 0
    for (const request of this.waiting) {
      if (text.length >= writeLimit) break
      taken += 1
      if (request.open) {
        this.sent.set(request.id, request)
        text += request.line
      } else {
        this.pendingBytes -= request.bytes
      }
    }
    if (taken === this.waiting.length) this.waiting = []
    else this.waiting.splice(0, taken)
    return text
  }
}

/**
 * The params as JSON, or the error that says why they are none. JSON writes NaN and Infinity as null, which counts as absent: a
 * guard, or a progress, would be left out in silence.
 */
function encoded(params: unknown): string | RenderStateError {
  let text: string
  try {
    text = JSON.stringify(params)
  } catch (error) {
    return invalid('params', error instanceof Error ? error.message : String(error))
  }
  const found = text.includes('null') ? nonFinite(params, 'params') : null
  return found === null ? text : invalid(found.path, `it must be a finite number, and not ${found.value}`)
}

function invalid(path: string, reason: string): RenderStateError {
  const data = { kind: 'invalidParams', path, reason }
  return errorFromWire({ code: ERROR_CODES.invalidParams, message: `${path}: ${reason}`, data })
}

function nonFinite(value: unknown, path: string): { readonly value: number; readonly path: string } | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : { value, path }
  if (typeof value !== 'object' || value === null) return null
  for (const [name, part] of Object.entries(value)) {
    const found = nonFinite(part, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`)
    if (found) return found
  }
  return null
}

/** What a request that belongs to one process is rejected with when that is gone. */
function processGone(): RenderStateError {
  return new RenderStateError('sidecarFailed', 'the sidecar died before it answered')
}

function timedOut(method: string, params: unknown, timeoutMs: number | undefined): RenderStateError {
  const { idempotencyKey } = params as { idempotencyKey?: string }
  const hint = idempotencyKey === undefined ? '' : '; it may take effect all the same, and the same idempotencyKey makes it safe to repeat'
  const data = idempotencyKey === undefined ? {} : { idempotencyKey }
  return new RenderStateError('timeout', `${method} was not answered within ${timeoutMs} ms${hint}`, null, data)
}

function first<T>(values: IterableIterator<T>): T | undefined {
  return values.next().value as T | undefined
}
