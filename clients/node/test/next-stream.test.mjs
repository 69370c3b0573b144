import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { statusStream } from 'renderstate/next'
import { killSidecar, open, until } from './support/sidecar.mjs'
import { sseReader } from './support/sse.mjs'

const url = 'http://studio.example/api/renders/a/stream'
const request = (lastEventId, init = {}) =>
  new Request(url, { ...init, headers: lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId } })
const subscriptions = async (client) => (await client.stats()).subscriptions
const ids = (events) => events.map((event) => event.id)
const states = (events) => events.map((event) => event.data.status)

async function stream(client, target = 'a', { lastEventId, init, ...options } = {}) {
  const response = await statusStream(client, request(lastEventId, init), target, options)
  assert.equal(response.status, 200)
  return sseReader(response)
}

test('a viewer gets the status, each change with its seq, the end, and the end of the stream', async (t) => {
  const { client } = open(t)
  const response = await statusStream(client, request(), 'a')
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.equal(response.headers.get('cache-control'), 'no-cache, no-transform')
  assert.equal(response.headers.get('x-accel-buffering'), 'no')
  const viewer = sseReader(response)
  assert.deepEqual(await viewer.next(), { retry: '3000' })
  assert.deepEqual(await viewer.next(), { event: 'status', data: { status: 'idle', progress: 0 } })
  await client.transition('other', 'start')
  await client.transition('a', 'start')
  assert.deepEqual(await viewer.next(), { id: '2', event: 'status', data: { status: 'queued', progress: 0 } })
  await client.transition('a', 'progress', { context: { progress: 40 } })
  assert.deepEqual(await viewer.next(), { id: '3', event: 'status', data: { status: 'rendering', progress: 40 } })
  await client.transition('a', 'complete', { context: { videoUrl: 'https://v.example/a.mp4' } })
  const done = { status: 'completed', progress: 100, videoUrl: 'https://v.example/a.mp4' }
  assert.deepEqual(await viewer.next(), { id: '4', event: 'status', data: done })
  assert.deepEqual(await viewer.next(), { event: 'end', data: {} })
  assert.equal(await viewer.next(), null)
  assert.equal(await subscriptions(client), 0)
})

test('who comes back gets what was missed, and nothing twice', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  await client.transition('a', 'progress', { context: { progress: 10 } })
  const first = await stream(client)
  assert.deepEqual(ids(await first.events((event) => event.id === '2')), ['2'])
  await first.cancel()
  await client.transition('a', 'progress', { context: { progress: 20 } })
  const missed = await stream(client, 'a', { lastEventId: '2' })
  assert.deepEqual(await missed.events((event) => event.id === '3'), [
    { id: '3', event: 'status', data: { status: 'rendering', progress: 20 } }
  ])
  await missed.cancel()
  const nothingMissed = await stream(client, 'a', { lastEventId: '3' })
  assert.deepEqual(await nothingMissed.next(), { retry: '3000' })
  await client.transition('a', 'cancel', { context: { error: 'enough' } })
  assert.deepEqual(await nothingMissed.events(), [
    { id: '4', event: 'status', data: { status: 'failed', progress: 20, error: 'enough' } },
    { event: 'end', data: {} }
  ])
})

test('a render that has ended: its status and the end, or 204 to who knows it', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  await client.transition('a', 'cancel')
  assert.deepEqual(ids(await (await stream(client)).events()), ['2', undefined])
  assert.deepEqual(ids(await (await stream(client, 'a', { lastEventId: '1' })).events()), ['2', undefined])
  const response = await statusStream(client, request('2'), 'a')
  assert.equal(response.status, 204)
  assert.equal(response.body, null)
  assert.equal(await subscriptions(client), 0)
})

test('a Last-Event-ID that is none counts as none', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  for (const lastEventId of ['', '0', 'x', '-1', '1.0', '1e0', '0x1', '١', '1, 1', '999', '9'.repeat(16), '9'.repeat(400), '__proto__']) {
    // A header is Latin-1: what is beyond comes as the bytes of its UTF-8.
    const viewer = await stream(client, 'a', { lastEventId: Buffer.from(lastEventId).toString('latin1') })
    assert.deepEqual(ids(await viewer.events(() => true)), ['1'], lastEventId)
    await viewer.cancel()
  }
  assert.equal(await subscriptions(client), 0)
})

test('many renders on one stream: in the order of their changes, over when all are', async (t) => {
  const { client } = open(t)
  for (const id of ['c', 'b', 'a']) await client.transition(id, 'start')
  const viewer = await stream(client, ['a', 'b', 'c', 'd', 'a'])
  const first = await viewer.events((event) => event.id === '3')
  assert.deepEqual(ids(first), [undefined, '1', '2', '3'])
  assert.deepEqual(first.map((event) => event.data.id), ['d', 'c', 'b', 'a'])
  await client.transition('a', 'cancel')
  await client.transition('b', 'cancel')
  await client.transition('e', 'start')
  await client.transition('d', 'start')
  assert.deepEqual(ids(await viewer.events((event) => event.data.id === 'd')), ['4', '5', '7'])
  const again = await stream(client, ['d', 'c', 'b', 'a'], { lastEventId: '4' })
  assert.deepEqual((await again.events((event) => event.id === '7')).map((event) => event.data.id), ['b', 'd'])
  assert.equal(await subscriptions(client), 1, 'the same renders in another order')
  await client.transition('c', 'cancel')
  await client.transition('d', 'cancel')
  for (const reader of [viewer, again]) {
    const rest = await reader.events()
    assert.deepEqual(ids(rest), ['8', '9', undefined])
    assert.equal(rest[2].event, 'end')
  }
  assert.equal((await statusStream(client, request('9'), ['a', 'b', 'c', 'd'])).status, 204)
  const partly = await stream(client, ['a', 'b', 'c', 'd'], { lastEventId: '8' })
  assert.deepEqual((await partly.events()).map((event) => event.data.id), ['d', undefined])
})

test('a viewer that does not read costs the latest status, and gets no other', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const slow = await stream(client)
  const quick = await stream(client)
  await quick.next()
  for (let progress = 1; progress <= 50; progress += 1) await client.transition('a', 'progress', { context: { progress } })
  await quick.events((event) => event.id === '51')
  assert.deepEqual(ids(await slow.events((event) => event.id === '51')), ['51'])
  await client.transition('a', 'cancel')
  await quick.events()
  await client.regenerate('a')
  const next = await stream(client)
  await next.events(() => true)
  await client.transition('a', 'progress')
  await next.events((event) => event.id === '54')
  assert.deepEqual(states(await slow.events((event) => event.id === '54')), ['rendering'], 'the end was over before it was read')
})

test('an abort ends the stream also of a request that nobody else holds any more', async (t) => {
  const { client } = open(t)
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc')
  const controller = new AbortController()
  const viewer = await stream(client, 'a', { init: { signal: controller.signal } })
  await viewer.next()
  for (let round = 0; round < 3; round += 1) {
    await new Promise(setImmediate)
    collectGarbage()
  }
  controller.abort()
  await until(async () => (await subscriptions(client)) === 0, 'the stream ends')
})

test('viewers of a render share one subscription; abort, cancel and the longest life free it', async (t) => {
  const { client } = open(t)
  const controller = new AbortController()
  const aborted = sseReader(await statusStream(client, request(undefined, { signal: controller.signal }), 'a'))
  const cancelled = await stream(client)
  const short = await stream(client, 'a', { maxLifeMs: 30 })
  const unread = await statusStream(client, request(), 'a', { maxLifeMs: 30 })
  assert.equal(await subscriptions(client), 1)
  assert.deepEqual(states(await short.events()), ['idle'], 'closes without an end')
  await until(async () => (await subscriptions(client)) === 1)
  await cancelled.next()
  const waiting = cancelled.events()
  await cancelled.cancel()
  await waiting
  assert.equal(await subscriptions(client), 1)
  await aborted.events(() => true)
  controller.abort()
  assert.deepEqual(await aborted.events(), [])
  await until(async () => (await subscriptions(client)) === 0)
  assert.deepEqual(await unread.text(), '')
  await assert.rejects(statusStream(client, request(undefined, { signal: controller.signal }), 'a'), { name: 'AbortError' })
})

test('heartbeats are comments without an id', async (t) => {
  const { client } = open(t)
  const viewer = await stream(client, 'a', { heartbeatMs: 5, retryMs: 50 })
  assert.deepEqual(await viewer.next(), { retry: '50' })
  await viewer.next()
  for (let index = 0; index < 3; index += 1) assert.deepEqual(await viewer.next(), { comment: 'alive' })
  await client.transition('a', 'start')
  assert.deepEqual(ids(await viewer.events(() => true)), ['1'])
  await viewer.cancel()
})

test('a viewer does not notice the death of the sidecar; the closing of the client closes the stream', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const viewer = await stream(client)
  await viewer.events(() => true)
  await killSidecar(client)
  await client.transition('a', 'progress', { context: { progress: 70 } })
  assert.equal((await viewer.events(() => true))[0].data.progress, 70)
  const rest = viewer.events()
  await client.close()
  assert.deepEqual(await rest, [])
  await assert.rejects(statusStream(client, request(), 'a'), { kind: 'closed' })
})

test('text of others stays inside its field, and odd ids are ids', async (t) => {
  const { client } = open(t)
  const error = 'x\r\n\r\nevent: end\ndata: {}\n\n\0\u2028🎬'
  const odd = ['__proto__', 'a/b/../c', '🎬', 'constructor', 'id: 7']
  for (const id of odd) {
    await client.transition(id, 'start')
    await client.transition(id, 'fail', { context: { error } })
    const events = await (await stream(client, id)).events()
    assert.deepEqual(events.map((event) => event.event), ['status', 'end'])
    assert.equal(events[0].data.error, (await client.getStatus(id)).error)
  }
  const all = await (await stream(client, odd)).events()
  assert.deepEqual(all.slice(0, -1).map((event) => event.data.id), odd)
  for (const id of ['', 'a\r\nb', 'x'.repeat(10_240), '\ud800']) {
    await assert.rejects(statusStream(client, request(), id), { name: 'RenderStateError' })
    await assert.rejects(statusStream(client, request(), ['a', id]), { name: 'RenderStateError' })
  }
  await assert.rejects(statusStream(client, request(), []), { kind: 'invalidParams' })
  assert.equal(await subscriptions(client), 0)
})

test('over HTTP: a viewer that goes away frees the subscription', async (t) => {
  const { client } = open(t)
  const server = createServer(async (_, answer) => {
    const response = await statusStream(client, request(), 'a')
    answer.writeHead(response.status, Object.fromEntries(response.headers))
    const body = Readable.fromWeb(response.body)
    answer.on('close', () => body.destroy())
    body.pipe(answer)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const viewer = sseReader(await fetch(`http://127.0.0.1:${server.address().port}/`))
  assert.deepEqual(states(await viewer.events(() => true)), ['idle'])
  await client.transition('a', 'start')
  assert.deepEqual(states(await viewer.events(() => true)), ['queued'])
  assert.equal(await subscriptions(client), 1)
  await viewer.cancel()
  await until(async () => (await subscriptions(client)) === 0)
})

test('a new run that this process has not been told of yet is no end, and its seq is not given away', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  await client.transition('a', 'cancel')
  // What is pushed by another process comes later than what is read.
  const late = client.watch('a')
  const stale = (await late.next()).value
  await client.transition('a', 'start')
  const behind = {
    getStatuses: (ids, options) => client.getStatuses(ids, options),
    async *watch() {
      yield stale
      yield* late
    }
  }
  const viewer = await stream(behind, 'a', { lastEventId: '2' })
  const first = await viewer.events(() => true)
  assert.deepEqual(first, [{ event: 'status', data: { status: 'queued', progress: 0 } }])
  await client.transition('a', 'cancel')
  assert.deepEqual(ids(await viewer.events()).slice(-2), ['4', undefined])
  await late.return()
})

test('an answer that cannot be made breaks the stream, and frees the subscription', async (t) => {
  const { client } = open(t)
  const defect = new Error('a defect of the host')
  const response = await statusStream(client, request(), 'a', {
    answer: () => {
      throw defect
    }
  })
  await assert.rejects(response.text(), defect)
  assert.equal(await subscriptions(client), 0)
})
