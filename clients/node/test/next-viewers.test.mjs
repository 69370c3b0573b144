import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { createStatusStreamRoute } from 'renderstate/next'
import { open, until } from './support/sidecar.mjs'
import { sseReader } from './support/sse.mjs'

const renders = Array.from({ length: 50 }, (_, index) => `patch note ${index}`)
const subscriptions = async (client) => (await client.stats()).subscriptions

/** Serves the stream route as Next.js does: a viewer that goes cancels its stream. Returns the URL. */
async function serve(t, client) {
  const route = createStatusStreamRoute({
    client,
    authorize: () => true,
    answer: ({ id, state, videoUrl }) => ({ id, state, videoUrl })
  })
  const server = createServer(async (incoming, outgoing) => {
    const { pathname } = new URL(incoming.url, 'http://studio.example')
    const params = Promise.resolve({ id: decodeURIComponent(pathname.slice(1)) })
    const response = await route(new Request(`http://studio.example${pathname}`), { params })
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.flushHeaders()
    // It rejects where the viewer has gone.
    await pipeline(Readable.fromWeb(response.body), outgoing).catch(() => null)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}

/**
 * The 50 renders, queued, with so many viewers each, all of which have been told so. `close` cuts the viewers' connections, as a
 * browser does that is closed.
 */
async function watched(t, viewersOfEach) {
  const { client } = open(t)
  await Promise.all(renders.map((id) => client.transition(id, 'start')))
  const url = await serve(t, client)
  const browser = new AbortController()
  t.after(() => browser.abort())
  const connect = async (id) => {
    const response = await fetch(`${url}/${encodeURIComponent(id)}`, { signal: browser.signal })
    assert.equal(response.status, 200)
    const viewer = sseReader(response)
    const first = await viewer.events(() => true)
    assert.deepEqual(first.map(({ data }) => data), [{ id, state: 'queued', videoUrl: null }])
    return { id, events: viewer.events() }
  }
  const viewers = await Promise.all(renders.flatMap((id) => Array.from({ length: viewersOfEach }, () => connect(id))))
  return { client, viewers, close: () => browser.abort() }
}

test('1,000 viewers of 50 renders cost 50 subscriptions, and each sees its render to the end and no other', async (t) => {
  const { client, viewers } = await watched(t, 20)
  assert.equal(viewers.length, 1000)
  assert.equal(await subscriptions(client), 50)
  await Promise.all(renders.map((id) => client.transition(id, 'progress')))
  await Promise.all(renders.map((id) => client.transition(id, 'complete', { context: { videoUrl: `https://v.example/${id}` } })))
  for (const { id, events } of viewers) {
    const seen = await events
    assert.deepEqual(seen.pop(), { event: 'end', data: {} })
    assert.deepEqual(seen.filter(({ data }) => data.id !== id), [])
    assert.deepEqual(seen.at(-1).data, { id, state: 'completed', videoUrl: `https://v.example/${id}` })
  }
  await until(async () => (await subscriptions(client)) === 0, 'nothing is subscribed any more')
})

test('viewers that go before the end free the subscription of their render when the last one goes', async (t) => {
  const { client, viewers, close } = await watched(t, 4)
  assert.equal(await subscriptions(client), 50)
  const gone = Promise.allSettled(viewers.map(({ events }) => events))
  close()
  await gone
  await until(async () => (await subscriptions(client)) === 0, 'nothing is subscribed any more')
})
