export { RenderStateClient } from './client.js'
export type {
  CallOptions,
  HistoryOptions,
  ListOptions,
  MetricsOptions,
  ReadOptions,
  RegenerateOptions,
  TransitionOptions,
  WaitOptions,
  WatchFilter,
  WatchOptions
} from './client.js'
export { ConflictError, InvalidTransitionError, RenderStateError, StaleRenderError } from './errors.js'
export type { ClientErrorKind, ErrorKind, WireErrorKind } from './errors.js'
export type { ClientTimeouts, SpawnOptions } from './spawn-options.js'
export type { WatchChange, WatchEvent, WatchSnapshot } from './watch.js'
export { ACTIVE_STATES, PROCESSING_STATUS, TERMINAL_STATES, TRANSITIONS } from './wire.generated.js'
export type {
  Change,
  Context,
  Event,
  HistoryPage,
  Lease,
  Row,
  StartContext,
  State,
  Stats,
  Status,
  StatusPage,
  Timeouts,
  TransitionResult
} from './wire.generated.js'
