import type { SupervisorFigures } from './supervisor.js'
import type { DurationStats, Stats } from './wire.generated.js'

/** The content type of what `metrics` gives. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

/** What the client knows of its sidecar. */
export interface ClientFigures extends SupervisorFigures {
  readonly watches: number
}

type Labels = { readonly [name: string]: string }
type Sample = readonly [suffix: string, labels: Labels, value: number]

const renderStates = ['queued', 'rendering', 'completed', 'failed'] as const
const outcomes = { completed: 'completed', failed: 'failed', cancelled: 'cancelled', timed_out: 'timedOut' } as const

/**
 * The metrics in Prometheus' text format; without `stats`, as the sidecar does not answer, those of the client alone. Their names and
 * what they mean are in protocol/README.md, and a test compares them.
 */
export function metricsText(stats: Stats | null, client: ClientFigures): string {
  return (stats === null ? '' : storeText(stats) + sidecarText(stats)) + clientText(client, stats !== null)
}

function storeText({ renders, oldestActiveAt, durations, store }: Stats): string {
  const { boundsMs } = durations
  return [
    family('renderstate_renders', 'gauge', 'Renders in each state.', renderStates.map((state) => ['', { state }, renders[state]])),
    family(
      'renderstate_oldest_active_event_timestamp_seconds',
      'gauge',
      'Time of the last event of the active render whose last event is the longest ago.',
      oldestActiveAt === null ? [] : [['', {}, Date.parse(oldestActiveAt) / 1000]]
    ),
    family('renderstate_changes_total', 'counter', 'Accepted changes of all renders.', [['', {}, store.seq]]),
    family(
      'renderstate_queue_duration_seconds',
      'histogram',
      'Time from the start of an attempt to its first progress, or to its end without one.',
      histogram(boundsMs, durations.queue)
    ),
    family(
      'renderstate_attempt_duration_seconds',
      'histogram',
      'Time from the start of an attempt to its end, by what it came to.',
      Object.entries(outcomes).flatMap(([outcome, name]) => histogram(boundsMs, durations[name], { outcome }))
    ),
    family('renderstate_database_size_bytes', 'gauge', 'Size of the database file.', [['', {}, store.bytes]]),
    family('renderstate_wal_size_bytes', 'gauge', 'Size of the write-ahead log beside the database file.', [['', {}, store.walBytes]]),
    family('renderstate_sqlite_info', 'gauge', 'Always 1; the label is the version of SQLite.', [
      ['', { version: store.sqliteVersion ?? '' }, 1]
    ])
  ].join('')
}

function sidecarText({ uptimeMs, subscriptions, methods }: Stats): string {
  const called = Object.entries(methods)
  return [
    family('renderstate_sidecar_uptime_seconds', 'gauge', 'Time since the start of the sidecar that runs now.', [['', {}, uptimeMs / 1000]]),
    family('renderstate_sidecar_subscriptions', 'gauge', 'Live subscriptions of the sidecar.', [['', {}, subscriptions]]),
    family(
      'renderstate_sidecar_requests_total',
      'counter',
      'Requests that the sidecar has answered, by method.',
      called.map(([method, { count }]) => ['', { method }, count])
    ),
    family(
      'renderstate_sidecar_request_errors_total',
      'counter',
      'Those of them that it has refused or could not carry out.',
      called.map(([method, { errors }]) => ['', { method }, errors])
    ),
    family(
      'renderstate_sidecar_request_duration_seconds',
      'summary',
      'Time from reading a request to its answer.',
      called.flatMap(([method, { p50Us, p99Us }]): Sample[] => [
        ['', { method, quantile: '0.5' }, p50Us / 1e6],
        ['', { method, quantile: '0.99' }, p99Us / 1e6]
      ])
    )
  ].join('')
}

function clientText({ restarts, pendingRequests, pendingBytes, watches }: ClientFigures, isUp: boolean): string {
  return [
    family('renderstate_client_up', 'gauge', '1 if the sidecar answers, 0 if not: then there is nothing else but what the client knows.', [
      ['', {}, isUp ? 1 : 0]
    ]),
    family('renderstate_client_restarts_total', 'counter', 'Sidecars that the client has started after its first.', [['', {}, restarts]]),
    family('renderstate_client_pending_requests', 'gauge', 'Requests that wait for an answer.', [['', {}, pendingRequests]]),
    family('renderstate_client_pending_bytes', 'gauge', 'Bytes of the requests that wait for an answer.', [['', {}, pendingBytes]]),
    family('renderstate_client_watches', 'gauge', 'Watches of the client.', [['', {}, watches]])
  ].join('')
}

function histogram(boundsMs: readonly number[], { counts, sumMs }: DurationStats, labels: Labels = {}): Sample[] {
  let count = 0
  const buckets = counts.map((more, index): Sample => {
    count += more
    const bound = boundsMs[index]
    return ['_bucket', { ...labels, le: bound === undefined ? '+Inf' : String(bound / 1000) }, count]
  })
  return [...buckets, ['_sum', labels, sumMs / 1000], ['_count', labels, count]]
}

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([suffix, labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
    return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
