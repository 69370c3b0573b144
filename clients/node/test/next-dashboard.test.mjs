import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createActionsRoute, createDashboardStreamRoute } from 'renderstate/next'
import { body, get } from './support/routes.mjs'
import { killSidecar, open, openBeside, temporaryFolder, until } from './support/sidecar.mjs'
import { sseReader } from './support/sse.mjs'

const url = 'http://studio.example/api/patch-notes/video-dashboard-stream'
const subscriptions = async (client) => (await client.stats()).subscriptions

/** The route, with everybody as an operator. */
const dashboard = (client, options = {}) => createDashboardStreamRoute({ client, authorize: () => true, ...options })
const ask = (route, init) => route(new Request(url, init))

/** A viewer that knows what it was told; `until` reads on until the condition holds for that. */
async function view(route, init) {
  const response = await ask(route, init)
  assert.equal(response.status, 200)
  const stream = sseReader(response)
  const renders = new Map()
  const viewer = { renders, told: [], more: [], first: null, cancel: () => stream.cancel(), state: (id) => renders.get(id)?.status }
  const take = ({ event, data }) => {
    if (event === 'alive') return
    viewer.told.push(event)
    if (event === 'renders') {
      viewer.first = data
      renders.clear()
    }
    for (const render of data.renders) renders.set(render.id, render)
    for (const id of data.gone ?? []) renders.delete(id)
    viewer.more = data.more
  }
  viewer.until = async (condition) => {
    while (!condition(viewer)) {
      const [event] = await stream.events(() => true)
      if (!event) throw new Error('the stream has ended')
      take(event)
    }
    return viewer
  }
  await viewer.until(({ first }) => first !== null)
  return viewer
}

const failed = (client, id, error) => Promise.all([client.transition(id, 'start'), client.transition(id, 'fail', { context: { error } })])

test('a viewer is told all that is at work or has ended last, and then what changes', async (t) => {
  const { client } = open(t)
  await client.transition('a/🎬', 'start')
  await client.transition('b', 'start')
  await client.transition('b', 'progress', { context: { progress: 40.5, renderId: 'secret', metadata: { secret: 1 } } })
  await failed(client, 'c', 'out of memory')
  const viewer = await view(dashboard(client, { stuckMs: 7000, heartbeatMs: 9000 }))
  const { at, renders, more, ...constants } = viewer.first
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000)
  assert.deepEqual(constants, { stuckMs: 7000, heartbeatMs: 9000 })
  assert.deepEqual(more, [])
  const [b] = await client.getStatuses(['b'])
  assert.deepEqual(renders.find(({ id }) => id === 'b'), {
    id: 'b', status: 'rendering', progress: 40.5, run: 1, attempt: 1, createdAt: b.createdAt, updatedAt: b.updatedAt
  })
  assert.deepEqual(renders.map(({ id, status, error }) => [id, status, error]).sort(), [
    ['a/🎬', 'queued', undefined], ['b', 'rendering', undefined], ['c', 'failed', 'out of memory']
  ])
  await client.transition('c', 'start')
  await client.transition('b', 'progress', { context: { progress: 60 } })
  await client.transition('b', 'complete', { context: { videoUrl: 'https://v.example/b.mp4' } })
  await client.transition('d', 'start')
  await viewer.until(({ state }) => state('d') === 'queued')
  assert.deepEqual([viewer.state('b'), viewer.renders.get('b').videoUrl], ['completed', 'https://v.example/b.mp4'])
  assert.deepEqual([viewer.state('c'), viewer.renders.get('c').attempt, viewer.renders.get('c').error], ['queued', 2, undefined])
  assert.deepEqual(new Set(viewer.told.slice(1)), new Set(['changes']))
  await viewer.cancel()
})

test('all viewers share one subscription, which goes with the last of them', async (t) => {
  const { client, database } = open(t)
  const route = dashboard(client)
  const viewers = await Promise.all([view(route), view(route), view(route)])
  assert.equal(await subscriptions(client), 1)
  await openBeside(t, database).transition('a', 'start')
  for (const viewer of viewers) await viewer.until(({ state }) => state('a') === 'queued')
  await viewers[0].cancel()
  const abort = new AbortController()
  const late = await view(route, { signal: abort.signal })
  assert.equal(late.state('a'), 'queued')
  await viewers[1].cancel()
  await client.transition('a', 'cancel')
  for (const viewer of [viewers[2], late]) await viewer.until(({ state }) => state('a') === 'failed')
  await viewers[2].cancel()
  assert.equal(await subscriptions(client), 1)
  // A host may abort the request, and not cancel the stream.
  abort.abort()
  await until(async () => (await subscriptions(client)) === 0, 'nothing is subscribed any more')
  assert.equal((await view(route)).state('a'), 'failed')
})

test('what has ended is told as far as it is new, and it is said that there is more', async (t) => {
  const { client } = open(t)
  const names = Array.from({ length: 201 }, (_, index) => `failed ${index}`)
  await Promise.all(names.map((id) => failed(client, id, '🎬'.repeat(400))))
  const viewer = await view(dashboard(client))
  assert.equal(viewer.renders.size, 200)
  assert.equal(viewer.renders.has('failed 0'), false)
  assert.deepEqual(viewer.more, ['failed'])
  assert.equal(viewer.renders.get('failed 1').error, `${'🎬'.repeat(300)}…`, 'the history has all of it')
  await failed(client, 'newest', 'short')
  await viewer.until(({ state }) => state('newest') === 'failed')
  assert.equal(viewer.renders.size, 200)
  assert.equal(viewer.renders.has('failed 1'), false)
  // One that is tried again makes room that an older one does not fill.
  await client.transition('failed 2', 'start')
  await viewer.until(({ state }) => state('failed 2') === 'queued')
  await viewer.cancel()
})

test('of more active renders than fit those are told that are silent for the longest time', async (t) => {
  const { client } = open(t)
  const names = Array.from({ length: 2100 }, (_, index) => `render ${index}`)
  await Promise.all(names.map((id) => client.transition(id, 'start')))
  const viewer = await view(dashboard(client))
  assert.equal(viewer.renders.size, 2000)
  assert.ok(viewer.renders.has('render 0') && viewer.renders.has('render 1999') && !viewer.renders.has('render 2000'))
  assert.deepEqual(viewer.more, ['queued'])
  await client.transition('render 2050', 'progress')
  await client.transition('render 3', 'cancel')
  await viewer.until(({ state }) => state('render 3') === 'failed')
  assert.equal(viewer.renders.has('render 2050'), false)
  assert.deepEqual(viewer.more, ['queued', 'rendering'])
  await viewer.cancel()
})

test('a viewer that takes nothing is told the latest of each render, and not all before it', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const route = dashboard(client)
  const slow = await view(route)
  const quick = await view(route)
  for (let progress = 1; progress <= 100; progress++) await client.transition('a', 'progress', { context: { progress } })
  await quick.until(({ renders }) => renders.get('a').progress === 100)
  await slow.until(({ told }) => told.length === 2)
  assert.equal(slow.renders.get('a').progress, 100)
  await slow.cancel()
  await quick.cancel()
})

test('a dashboard goes on when the sidecar is killed, and says so when there is none', async (t) => {
  const { client } = open(t)
  const viewer = await view(dashboard(client))
  await killSidecar(client)
  await client.transition('a', 'start')
  await viewer.until(({ state }) => state('a') === 'queued')
  await viewer.cancel()

  const folder = temporaryFolder(t)
  rmSync(folder, { recursive: true })
  const errors = []
  const nowhere = dashboard(open(t, { database: join(folder, 'renders.sqlite') }).client, { onError: (error) => errors.push(error.kind) })
  const response = await ask(nowhere)
  assert.equal(response.headers.get('retry-after'), '2')
  await body(response, 503)
  assert.deepEqual(errors, ['sidecarFailed'])
})

test('a client that is closed ends the streams', async (t) => {
  const { client } = open(t)
  const response = await ask(dashboard(client))
  const stream = sseReader(response)
  await stream.events(() => true)
  await client.close()
  assert.deepEqual(await stream.events(), [])
})

test('the heartbeat is an event that a page can hear', async (t) => {
  const { client } = open(t)
  const stream = sseReader(await ask(dashboard(client, { heartbeatMs: 5, retryMs: 7 })))
  assert.deepEqual(await stream.next(), { retry: '7' })
  assert.equal((await stream.next()).event, 'renders')
  assert.deepEqual(await stream.next(), { event: 'alive', data: {} })
  await stream.cancel()
})

test('only who is an operator sees all renders', async (t) => {
  const { client } = open(t)
  const asked = []
  const denying = (verdict) =>
    dashboard(client, {
      authorize: async (request, action, ...rest) => {
        asked.push([request instanceof Request, action, rest.length])
        return verdict
      }
    })
  for (const verdict of [undefined, false, 1, 'yes', {}]) assert.deepEqual(await body(await ask(denying(verdict)), 403), { error: 'forbidden' })
  const signIn = new Response('sign in', { status: 401 })
  assert.equal(await ask(denying(signIn)), signIn)
  assert.equal((await ask(denying(false), { method: 'HEAD' })).status, 403)
  assert.equal((await ask(denying(true), { method: 'HEAD' })).status, 200)
  for (const one of asked) assert.deepEqual(one, [true, 'dashboard', 0])
  assert.equal(client.pid, null, 'nobody was let in')
  assert.throws(() => createDashboardStreamRoute({ client }), { kind: 'configuration' })
  for (const stuckMs of [0, -1, NaN, '5']) assert.throws(() => dashboard(client, { stuckMs }), { kind: 'configuration' })
})

test('a page is told what its user may do with a render', async () => {
  const asked = []
  const route = createActionsRoute({
    authorize: async (_, action, id) => {
      asked.push([action, id])
      return action === 'cancel' || new Response(null, { status: 401 })
    }
  })
  assert.deepEqual(await body(await get(route, 'a/🎬'), 200), { actions: ['cancel'] })
  assert.deepEqual(asked, [['regenerate', 'a/🎬'], ['cancel', 'a/🎬']])
  for (const verdict of [undefined, false, 1]) {
    assert.deepEqual(await body(await get(createActionsRoute({ authorize: () => verdict })), 200), { actions: [] })
  }
  assert.throws(() => createActionsRoute({}), { kind: 'configuration' })
  await assert.rejects(get(createActionsRoute({ authorize: () => { throw new Error('the session store is down') } })), /session store/)
})
