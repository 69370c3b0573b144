import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConflictError, InvalidTransitionError, RenderStateClient, RenderStateError, StaleRenderError } from 'renderstate'
import { initializedSource, madeUpSidecar, open, temporaryFolder } from './support/sidecar.mjs'

test('a render goes from start to its finished video, and its history says how', async (t) => {
  const { client } = open(t)
  const start = await client.transition('intro', 'start', { actor: 'web', context: { metadata: { title: 'Spring' } } })
  assert.equal(start.previousState, 'idle')
  assert.equal(start.replayed, false)
  await client.transition('intro', 'progress', { context: { renderId: 'r1', progress: 40 } })
  const end = await client.transition('intro', 'complete', { context: { renderId: 'r1', videoUrl: 'https://v.example/1' } })
  assert.equal(end.version, 3)
  const status = await client.getStatus('intro')
  assert.equal(status.state, 'completed')
  assert.equal(status.videoUrl, 'https://v.example/1')
  assert.deepEqual(status.metadata, { title: 'Spring' })
  const { changes, nextAfterSeq } = await client.getHistory('intro')
  assert.deepEqual(changes.map((change) => change.event), ['start', 'progress', 'complete'])
  assert.equal(nextAfterSeq, null)
  const again = await client.regenerate('intro')
  assert.equal(again.status.run, 2)
})

test('refusals are errors of their own classes, with the status', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start', { context: { renderId: 'r1' } })

  const invalid = await client.transition('a', 'start').catch((error) => error)
  assert.ok(invalid instanceof InvalidTransitionError && invalid instanceof RenderStateError)
  assert.ok(!(invalid instanceof ConflictError))
  assert.equal(invalid.code, -32001)
  assert.equal(invalid.kind, 'invalidTransition')
  assert.equal(invalid.event, 'start')
  assert.equal(invalid.state, 'queued')
  assert.deepEqual(invalid.allowedEvents, ['progress', 'fail', 'cancel'])
  assert.equal(invalid.status.id, 'a')

  const conflict = await client.transition('a', 'progress', { expectedVersion: 7 }).catch((error) => error)
  assert.ok(conflict instanceof ConflictError)
  assert.equal(conflict.status.version, 1)

  const stale = await client.transition('a', 'progress', { context: { renderId: 'r0' } }).catch((error) => error)
  assert.ok(stale instanceof StaleRenderError)
  assert.equal(stale.kind, 'staleRender')

  const params = await client.transition('a', 'explode').catch((error) => error)
  assert.equal(params.kind, 'invalidParams')
  assert.equal(params.data.path, 'params.event')
  assert.equal(params.status, null)
  assert.ok(!(new Error('x') instanceof RenderStateError))
  class Own extends RenderStateError {}
  assert.ok(!(invalid instanceof Own) && new Own('closed', 'x') instanceof Own)
})

test('an option that does not exist is refused, not ignored', async (t) => {
  const { client } = open(t)
  await assert.rejects(client.transition('a', 'start', { expectedVerison: 0 }), { kind: 'invalidParams' })
  await assert.rejects(client.listStatuses({ state: 'queued' }), { kind: 'invalidParams' })
  assert.throws(() => client.watch({ id: 'a' }), { kind: 'configuration' })
  assert.equal((await client.getStatus('a')).state, 'idle')
})

test('lists come page by page, or all at once by iteration', async (t) => {
  const { client } = open(t)
  const ids = Array.from({ length: 25 }, (_, index) => `render-${index}`)
  await Promise.all(ids.map((id) => client.transition(id, 'start')))
  const page = await client.listStatuses({ limit: 10 })
  assert.equal(page.statuses.length, 10)
  assert.notEqual(page.nextCursor, null)
  const all = []
  for await (const status of client.allStatuses({ states: ['queued'], limit: 7 })) all.push(status.id)
  assert.deepEqual(all.sort(), ids.sort())
  const some = await client.getStatuses(['render-3', 'never', 'render-1'])
  assert.deepEqual(some.map((status) => status.state), ['queued', 'idle', 'queued'])
})

test('a lease has one holder at a time', async (t) => {
  const { client } = open(t)
  const mine = await client.acquireLease({ name: 'poller', holder: 'a', ttlMs: 60_000 })
  assert.ok(mine.acquired)
  const theirs = await client.acquireLease({ name: 'poller', holder: 'b', ttlMs: 60_000 })
  assert.equal(theirs.acquired, false)
  assert.equal(theirs.holder, 'a')
  assert.equal(await client.releaseLease({ name: 'poller', holder: 'a' }), true)
  assert.equal(await client.releaseLease({ name: 'poller', holder: 'a' }), false)
})

test('the same idempotency key changes nothing the second time', async (t) => {
  const { client } = open(t)
  const first = await client.transition('a', 'start', { idempotencyKey: 'click-1' })
  const second = await client.transition('a', 'start', { idempotencyKey: 'click-1' })
  assert.equal(second.replayed, true)
  assert.equal(second.seq, first.seq)
})

test('the three clocks of a start are passed on', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start', { timeouts: { queuedMs: 30 } })
  const status = await client.waitFor('a')
  assert.equal(status.state, 'failed')
  assert.match(status.error, /30/)
})

test('a request times out when it was asked to, and the next one is answered all the same', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `${initializedSource}
     lines.on('line', (line) => {
       const { id, method, params } = JSON.parse(line)
       if (method === 'initialize') process.stdout.write(initialized(id))
       else waiting.push(id)
       // Answers in order, as it has to: the first request when the second one has come.
       if (params.id === 'second') for (const one of waiting.splice(0)) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id: one, result: { id: one } }) + '\\n')
     })
     const waiting = []`
  )
  const { client } = open(t, { command, timeouts: { requestMs: 60_000 } })
  await client.getStatus('second')
  await assert.rejects(client.getStatus('first', { timeoutMs: 20 }), { kind: 'timeout', code: null })
  assert.ok(await client.getStatus('second'))
  const late = await client.transition('third', 'start', { timeoutMs: 5, idempotencyKey: 'k' }).catch((error) => error)
  assert.equal(late.data.idempotencyKey, 'k')
})

test('a timeout longer than any timer can take is not over at once', async (t) => {
  const { client } = open(t, { timeouts: { requestMs: Infinity, startMs: Infinity, closeMs: 2 ** 31, killMs: 2 ** 31 } })
  assert.equal((await client.getStatus('a')).state, 'idle')
  assert.equal((await client.transition('a', 'start', { timeoutMs: 2 ** 40 })).version, 1)
})

test('an aborted request throws the reason of its signal, and is not sent if that was before', async (t) => {
  const { client } = open(t)
  const reason = new Error('the user left')
  await assert.rejects(client.transition('a', 'start', { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const request = client.transition('b', 'start', { signal: controller.signal })
  controller.abort(reason)
  await assert.rejects(request, reason)
  assert.equal((await client.getStatus('a')).state, 'idle')
  assert.equal((await client.getStatus('b')).state, 'idle')
})

test('a closed client refuses, and disposing closes', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const { pid } = client
  assert.equal(typeof pid, 'number')
  await client[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
  assert.equal(client.pid, null)
  await assert.rejects(client.getStatus('a'), { kind: 'closed' })
  assert.throws(() => client.watch('a'), { kind: 'closed' })
  await client.close()
})

test('close lets what was asked be answered', async (t) => {
  const { client } = open(t)
  const requests = Array.from({ length: 500 }, (_, index) => client.transition(`r${index}`, 'start'))
  const closed = client.close()
  const results = await Promise.all(requests)
  assert.ok(results.every((result) => result.version === 1))
  await closed
})

test('two clients of one database share a sidecar, which ends with the second', async (t) => {
  const { client, database } = open(t)
  const other = RenderStateClient.spawn({ database: join(database, '..', 'renders.sqlite') })
  await client.transition('a', 'start')
  assert.equal((await other.getStatus('a')).state, 'queued')
  assert.equal(other.pid, client.pid)
  await client.close()
  assert.equal((await other.getStatus('a')).state, 'queued')
  await other.close()
  assert.equal(other.pid, null)
  assert.throws(() => RenderStateClient.spawn({ database: '' }), { kind: 'configuration' })
})

test('a second client with other arguments is refused, not given the first one\'s sidecar', async (t) => {
  const { database } = open(t, { args: ['--synchronous', 'normal'] })
  assert.throws(() => RenderStateClient.spawn({ database }), { kind: 'configuration' })
})
