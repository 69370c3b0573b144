import { ERROR_CODES } from './wire.generated.js'
import type { ConflictData, Event, InvalidTransitionData, StaleRenderData, State, Status } from './wire.generated.js'

/** The kinds of error that come from the client itself, without an answer of the sidecar. */
export type ClientErrorKind =
  /** No executable was found. The message says where it was looked for and how to build it. */
  | 'binaryNotFound'
  /** The options of `spawn` contradict themselves, or those of a client of the same database. */
  | 'configuration'
  /** The executable speaks another version of the protocol, or another protocol. */
  | 'protocolMismatch'
  /** The sidecar could not be started, or died again and again. */
  | 'sidecarFailed'
  /** A request took longer than its `timeoutMs`. A mutation may have taken effect all the same. */
  | 'timeout'
  /** More bytes wait to be answered than `maxPendingBytes` allows. Nothing was sent. */
  | 'overloaded'
  /** The client is closed, or was closed before the answer came. */
  | 'closed'

export type WireErrorKind = keyof typeof ERROR_CODES
export type ErrorKind = ClientErrorKind | WireErrorKind

/** The error object of a JSON-RPC response. */
export interface WireError {
  readonly code: number
  readonly message: string
  readonly data?: { readonly kind?: string; readonly status?: Status; readonly [key: string]: unknown }
}

const brandKey = Symbol.for('renderstate.error')

/**
 * Every error of this package, except that an aborted call throws the reason of its signal.
 *
 * A bundler may load this module twice, so `instanceof` goes by a mark that the copies share.
 */
export class RenderStateError extends Error {
  override readonly name: string = 'RenderStateError'
  /** The JSON-RPC code; null for an error of the client itself. */
  readonly code: number | null
  /** Names the error. Switch on this; messages are for people. */
  readonly kind: ErrorKind
  /** The render as it is now, with invalidTransition, conflict and staleRender; else null. */
  readonly status: Status | null
  /** What else the error brings along, as it came over the wire. */
  readonly data: { readonly [key: string]: unknown }

  constructor(kind: ErrorKind, message: string, code: number | null = null, data: { readonly [key: string]: unknown } = {}) {
    super(message)
    this.kind = kind
    this.code = code
    this.data = data
    this.status = (data as { status?: Status }).status ?? null
    Object.defineProperty(this, brandKey, { value: true })
  }

  /** The kind that a subclass stands for; undefined here, where every kind is meant. */
  protected static readonly ofKind: ErrorKind | undefined = undefined

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!Object.hasOwn(this, 'ofKind')) return Function.prototype[Symbol.hasInstance].call(this, value)
    if (typeof value !== 'object' || value === null || !(brandKey in value)) return false
    return this.ofKind === undefined || (value as RenderStateError).kind === this.ofKind
  }
}

/** The table has no row for the event in the render's state. */
export class InvalidTransitionError extends RenderStateError {
  protected static override readonly ofKind: ErrorKind = 'invalidTransition'
  override readonly name = 'InvalidTransitionError'
  declare readonly status: Status
  declare readonly data: InvalidTransitionData & { readonly [key: string]: unknown }

  get event(): Event {
    return this.data.event
  }

  get state(): State {
    return this.data.status.state
  }

  /** The events that the render's state accepts. */
  get allowedEvents(): readonly Event[] {
    return this.data.allowedEvents
  }
}

/** `expectedVersion`, `expectedState` or `expectedAttempt` does not hold. */
export class ConflictError extends RenderStateError {
  protected static override readonly ofKind: ErrorKind = 'conflict'
  override readonly name = 'ConflictError'
  declare readonly status: Status
  declare readonly data: ConflictData & { readonly [key: string]: unknown }
}

/** The renderId is not the current one, or belongs to an earlier attempt or run. */
export class StaleRenderError extends RenderStateError {
  protected static override readonly ofKind: ErrorKind = 'staleRender'
  override readonly name = 'StaleRenderError'
  declare readonly status: Status
  declare readonly data: StaleRenderData & { readonly [key: string]: unknown }
}

const kindsByCode = new Map<number, WireErrorKind>(
  Object.entries(ERROR_CODES).map(([kind, code]) => [code, kind as WireErrorKind])
)

/** The error for a wire error. A code that is not known counts as internalError. */
export function errorFromWire({ code, message, data = {} }: WireError): RenderStateError {
  const kind = kindsByCode.get(code) ?? 'internalError'
  switch (kind) {
    case 'invalidTransition':
      return new InvalidTransitionError(kind, message, code, data)
    case 'conflict':
      return new ConflictError(kind, message, code, data)
    case 'staleRender':
      return new StaleRenderError(kind, message, code, data)
    default:
      return new RenderStateError(kind, message, code, data)
  }
}
