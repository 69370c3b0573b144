import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createMetricsRoute } from 'renderstate/next'
import { killSidecar, madeUpSidecar, initializedSource, open, temporaryFolder } from './support/sidecar.mjs'

/** The table of protocol/README.md: `[name, type, labels, from, help]`. */
const documented = readFileSync(new URL('../../../protocol/README.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `renderstate_'))
  .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')))

/** The metrics as a strict reader of the format finds them: by name `{type, help, samples}`, a sample by its line up to the value. */
function parsed(text) {
  const families = new Map()
  let family
  assert.ok(text.endsWith('\n'))
  for (const line of text.slice(0, -1).split('\n')) {
    const [, what, name, rest] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? []
    if (what === 'HELP') {
      assert.ok(!families.has(name), `twice: ${name}`)
      families.set(name, (family = { name, help: rest, samples: new Map() }))
    } else if (what === 'TYPE') {
      assert.equal(name, family.name)
      assert.equal(family.type, undefined)
      family.type = rest
    } else {
      const [, series, sampleName, labels, value] = /^(([a-z_]+)(\{[a-zA-Z_]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?) (\S+)$/.exec(line) ?? []
      assert.ok(series, `no line of the format: ${line}`)
      const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      assert.ok(suffixes.some((suffix) => family.name + suffix === sampleName), line)
      assert.ok(Number.isFinite(Number(value)), line)
      assert.ok(!family.samples.has(series), `twice: ${series}`)
      family.samples.set(series, Number(value))
      family.labels = [...(labels ?? '').matchAll(/([a-z]+)="/g)].map(([, label]) => label).filter((label) => label !== 'le')
    }
  }
  return families
}

const value = (families, name, labels = '') => families.get(name)?.samples.get(name + labels)

test('the metrics are those of the documented list, by name, type, labels and meaning', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const families = parsed(await client.metrics())
  const told = [...families.values()].map(({ name, type, help, labels }) => [name, type, labels.join(', '), help])
  assert.deepEqual(told, documented.map(([name, type, labels, , help]) => [name, type, labels, help]))
  assert.equal(documented.length, 18)
})

test('they tell of the store, of the sidecar and of the client', async (t) => {
  const { client } = open(t)
  const before = parsed(await client.metrics())
  assert.equal(before.get('renderstate_oldest_active_event_timestamp_seconds').samples.size, 0)
  await client.transition('a', 'start')
  await client.transition('a', 'progress')
  await client.transition('a', 'complete')
  await client.transition('b', 'start')
  await client.transition('b', 'cancel')
  const { status } = await client.transition('c', 'start')
  await assert.rejects(client.transition('c', 'complete'))
  const watch = client.watch('c')
  await watch.next()
  const families = parsed(await client.metrics())
  for (const [state, count] of Object.entries({ queued: 1, rendering: 0, completed: 1, failed: 1 })) {
    assert.equal(value(families, 'renderstate_renders', `{state="${state}"}`), count)
  }
  assert.equal(value(families, 'renderstate_oldest_active_event_timestamp_seconds'), Date.parse(status.updatedAt) / 1000)
  assert.equal(value(families, 'renderstate_changes_total'), 6)
  const queue = [...families.get('renderstate_queue_duration_seconds').samples]
  assert.deepEqual(queue.at(-1), ['renderstate_queue_duration_seconds_count', 2])
  assert.deepEqual(queue.at(-3), ['renderstate_queue_duration_seconds_bucket{le="+Inf"}', 2])
  assert.deepEqual(queue[0][0], 'renderstate_queue_duration_seconds_bucket{le="0.1"}')
  const attempts = families.get('renderstate_attempt_duration_seconds').samples
  for (const [outcome, count] of Object.entries({ completed: 1, failed: 0, cancelled: 1, timed_out: 0 })) {
    assert.equal(attempts.get(`renderstate_attempt_duration_seconds_count{outcome="${outcome}"}`), count)
  }
  assert.equal(value(families, 'renderstate_sidecar_requests_total', '{method="transition"}'), 7)
  assert.equal(value(families, 'renderstate_sidecar_request_errors_total', '{method="transition"}'), 1)
  assert.ok(value(families, 'renderstate_sidecar_request_duration_seconds', '{method="transition",quantile="0.99"}') > 0)
  assert.equal(value(families, 'renderstate_sidecar_subscriptions'), 1)
  assert.equal(value(families, 'renderstate_client_watches'), 1)
  assert.equal(value(families, 'renderstate_client_up'), 1)
  assert.equal(value(families, 'renderstate_client_pending_requests'), 0)
  await watch.return()
})

test('a restart is counted, and the store counts on', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  await client.transition('a', 'cancel')
  await killSidecar(client)
  const families = parsed(await client.metrics())
  assert.equal(value(families, 'renderstate_client_restarts_total'), 1)
  assert.equal(families.get('renderstate_attempt_duration_seconds').samples.get('renderstate_attempt_duration_seconds_count{outcome="cancelled"}'), 1)
})

test('without an answer of the sidecar there are those of the client, and why', async (t) => {
  const folder = temporaryFolder(t)
  const silent = madeUpSidecar(folder, `${initializedSource}; lines.once('line', (line) => process.stdout.write(initialized(JSON.parse(line).id)))`)
  const { client } = open(t, { command: silent })
  const waiting = client.getStatus('a').catch(() => null)
  const errors = []
  const families = parsed(await client.metrics({ timeoutMs: 50, onError: ({ kind }) => errors.push(kind) }))
  assert.deepEqual(errors, ['timeout'])
  assert.deepEqual([...families.keys()], documented.map(([name]) => name).filter((name) => name.startsWith('renderstate_client_')))
  assert.equal(value(families, 'renderstate_client_up'), 0)
  assert.equal(value(families, 'renderstate_client_pending_requests'), 1)
  assert.ok(value(families, 'renderstate_client_pending_bytes') > 50)
  await client.close()
  await waiting
  await assert.rejects(client.metrics(), { kind: 'closed' })
})

test('the route gives them to whom authorize lets in, as the type that Prometheus wants', async (t) => {
  const request = () => new Request('http://studio.example/api/metrics')
  const { client } = open(t)
  const actions = []
  const authorize = (_, action) => actions.push(action) > 0
  const response = await createMetricsRoute({ client, authorize })(request())
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.ok(parsed(await response.text()).has('renderstate_renders'))
  assert.deepEqual(actions, ['metrics'])
  assert.equal((await createMetricsRoute({ client, authorize: () => undefined })(request())).status, 403)
  assert.throws(() => createMetricsRoute({ client }), { kind: 'configuration' })

  const errors = []
  const nowhere = open(t, { database: join(temporaryFolder(t), 'none', 'renders.sqlite') }).client
  const route = createMetricsRoute({ client: nowhere, authorize: () => true, onError: (error) => errors.push(error.kind) })
  const down = await route(request())
  assert.equal(down.status, 200)
  assert.equal(value(parsed(await down.text()), 'renderstate_client_up'), 0)
  assert.deepEqual(errors, ['sidecarFailed'])
})
