import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStatusesStreamRoute } from 'renderstate/next'
import { body, getMany, routes } from './support/routes.mjs'
import { open } from './support/sidecar.mjs'
import { sseReader } from './support/sse.mjs'

const subscriptions = async (client) => (await client.stats()).subscriptions

test('many renders come on one stream, each with its id, until all have ended', async (t) => {
  const { client } = open(t)
  const { many } = routes(client, { retryMs: 7 })
  await client.transition('a', 'start')
  await client.transition('b/🎬', 'start')
  const viewer = sseReader(await getMany(many, ['b/🎬', 'a', 'a']))
  assert.deepEqual(await viewer.next(), { retry: '7' })
  assert.deepEqual(await viewer.next(), { id: '1', event: 'status', data: { id: 'a', status: 'queued', progress: 0 } })
  assert.deepEqual(await viewer.next(), { id: '2', event: 'status', data: { id: 'b/🎬', status: 'queued', progress: 0 } })
  assert.equal(await subscriptions(client), 1)
  await client.transition('c', 'start')
  await client.transition('a', 'cancel')
  await client.transition('b/🎬', 'cancel')
  assert.deepEqual((await viewer.events()).map(({ data }) => data.id), ['a', 'b/🎬', undefined])
  assert.equal((await getMany(many, ['a', 'b/🎬'], { headers: { 'Last-Event-ID': '5' } })).status, 204)
  assert.deepEqual((await sseReader(await getMany(many, ['a', 'b/🎬'], { headers: { 'Last-Event-ID': '4' } })).events()).map(({ id }) => id), ['5', undefined])
})

test('each distinct render is asked for, and who may not see one of them sees none', async (t) => {
  const { client } = open(t)
  for (const id of ['a', 'b', 'secret']) await client.transition(id, 'start')
  const asked = []
  const { many } = routes(client, {
    authorize: async (request, action, id) => {
      asked.push([request instanceof Request, action, id])
      return id === 'secret' ? undefined : true
    }
  })
  const viewer = sseReader(await getMany(many, ['b', 'a', 'b']))
  assert.deepEqual((await viewer.events(({ id }) => id === '2')).map(({ data }) => data.id), ['a', 'b'])
  await viewer.cancel()
  assert.deepEqual(asked, [[true, 'stream', 'b'], [true, 'stream', 'a']])
  for (const ids of [['secret'], ['a', 'secret'], ['secret', 'a'], ['a', 'secret', 'b']]) {
    assert.deepEqual(await body(await getMany(many, ids), 403), { error: 'forbidden' })
  }
  assert.equal(await subscriptions(client), 0)
  const signIn = new Response('sign in', { status: 401 })
  const signedOut = routes(client, { authorize: (_, __, id) => (id === 'b' ? signIn : true) })
  assert.equal(await getMany(signedOut.many, ['a', 'b', 'secret']), signIn)
  const broken = new Error('the session store is down')
  const failing = routes(client, {
    authorize: (_, __, id) => {
      if (id !== 'a') throw broken
      return true
    }
  })
  await assert.rejects(getMany(failing.many, ['a', 'b', 'secret']), broken)
})

test('no render, or too many, is 400 before anybody is asked', async (t) => {
  const { client } = open(t)
  let asked = 0
  const authorize = () => Boolean((asked += 1))
  const { many } = routes(client, { authorize })
  assert.deepEqual(await body(await getMany(many, []), 400), { error: 'name the renders: ?id=' })
  const ids = (count) => Array.from({ length: count }, (_, index) => `render ${index}`)
  assert.deepEqual(await body(await getMany(many, ids(101)), 400), { error: 'at most 100 renders at once' })
  assert.deepEqual(await body(await getMany(routes(client, { authorize, maxIds: 2 }).many, ids(3)), 400), { error: 'at most 2 renders at once' })
  assert.equal(asked, 0)
  const most = sseReader(await getMany(many, [...ids(100), ...ids(100)]))
  assert.equal((await most.events(({ data }) => data.id === 'render 99')).length, 100)
  await most.cancel()
  assert.equal(asked, 100)
  for (const maxIds of [0, 1001, 1.5, NaN, '5']) {
    assert.throws(() => createStatusesStreamRoute({ client, authorize, maxIds }), { kind: 'configuration' })
  }
  assert.throws(() => createStatusesStreamRoute({ client }), { kind: 'configuration' })
})
