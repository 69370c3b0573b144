import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, test } from 'node:test'
import { createStatusRoute, createStatusStreamRoute } from 'renderstate/next'
import { openBrowser } from './support/browser.mjs'
import { bundle } from './support/bundle.mjs'
import { open, until } from './support/sidecar.mjs'
import { serve } from './support/web-server.mjs'

const script = bundle('status.jsx')
const browser = await openBrowser({ after })

const html = { headers: { 'Content-Type': 'text/html' } }
const unavailable = (headers = {}) => new Response(null, { status: 503, headers })
const rendering = { status: 'rendering', progress: 40, videoUrl: null, error: null }
const completed = { status: 'completed', progress: 100, videoUrl: 'https://v.example/a.mp4', error: null }
const complete = { context: { videoUrl: completed.videoUrl } }

const silence = (signal) => new ReadableStream({ start: (body) => signal.addEventListener('abort', () => body.close()) })

/**
 * The routes, and a page in the browser that shows nothing yet. `stream` and `status` answer in place of a route as long
 * as they give something. `faster` shortens the page's pauses.
 */
async function studio(t, { faster = 1 } = {}) {
  const { client } = open(t)
  const routes = { authorize: () => true, client }
  // Who reconnects does so at once.
  const handlers = { stream: createStatusStreamRoute({ ...routes, retryMs: 0 }), status: createStatusRoute(routes) }
  const answers = {}
  const { url, requests } = await serve(t, async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/') return new Response('<!DOCTYPE html><link rel="icon" href="data:,"><body><script src="/script"></script>', html)
    if (pathname === '/script') return new Response(script, { headers: { 'Content-Type': 'text/javascript; charset=utf-8' } })
    const [, id, kind] = /^\/api\/patch-notes\/([^/]*)\/video-status(-stream)?$/.exec(pathname)
    const name = kind ? 'stream' : 'status'
    const answer = answers[name]
    if (answer) return answer(request)
    return handlers[name](request, { params: Promise.resolve({ id: decodeURIComponent(id) }) })
  })
  const openPage = async () => {
    const page = await browser.open(t, url)
    await page.run((factor) => {
      const { setTimeout } = window
      window.setTimeout = (callback, ms) => setTimeout(callback, ms / factor)
    }, faster)
    return page
  }
  const page = await openPage()
  return {
    client,
    page,
    openPage,
    answers,
    requests,
    streams: (id = 'a') => requests.filter(({ path }) => path.endsWith(`/${id}/video-status-stream`)),
    polls: (id = 'a') => requests.filter(({ path }) => path.endsWith(`/${id}/video-status`)),
    show: (props, options = {}) => page.run((...args) => window.show(...args), props, options),
    /** Waits until the page shows this, and returns all that it shows. */
    shows: (parts) =>
      page.until((wanted) => {
        const last = window.seen.at(-1)
        return last && Object.keys(wanted).every((key) => last[key] === wanted[key]) && last
      }, parts),
    seen: () => page.run(() => window.seen),
    complaints: () => page.run(() => window.complaints)
  }
}

test('each change is pushed, over one stream and without a poll, and nothing is asked after the end', async (t) => {
  const { client, page, requests, streams, polls, show, shows, seen, complaints } = await studio(t)
  await show({ id: 'a' })
  await shows({ status: 'idle', connection: 'live' })
  await client.transition('a', 'start')
  await shows({ status: 'queued' })
  for (const progress of [10, 40]) {
    await client.transition('a', 'progress', { context: { progress } })
    await shows({ status: 'rendering', progress })
  }
  await client.transition('a', 'complete', complete)
  assert.deepEqual(await shows({ connection: 'ended' }), { id: 'a', ...completed, connection: 'ended' })
  const first = (await seen())[0]
  assert.deepEqual(first, { id: 'a', status: null, progress: 0, videoUrl: null, error: null, connection: 'connecting' })
  // A browser whose EventSource is still open would have come back at once.
  await until(() => !streams()[0].isOpen)
  await show({ id: 'b' })
  await shows({ id: 'b', connection: 'live' })
  await page.run(() => fetch('/').then(() => null))
  assert.equal(streams().length, 1)
  assert.equal(polls().length, 0)
  assert.equal(requests.filter(({ method }) => method !== 'GET').length, 0)
  assert.deepEqual(await complaints(), [])
})

test('a component that StrictMode mounts twice connects once', async (t) => {
  const { client, page, streams, polls, show, shows, seen, complaints } = await studio(t)
  await client.transition('a', 'start')
  await page.run(() => {
    window.opened = []
    const Native = window.EventSource
    window.EventSource = function (url) {
      window.opened.push(url)
      return new Native(url)
    }
  })
  await show({ id: 'a', initial: { status: 'queued', progress: 0 } }, { strict: true })
  await shows({ status: 'queued', connection: 'live' })
  assert.deepEqual((await seen()).map(({ status, connection }) => [status, connection]), [['queued', 'connecting'], ['queued', 'live']])
  await client.transition('a', 'progress', { context: { progress: 40 } })
  await shows(rendering)
  assert.deepEqual([streams().length, polls().length], [1, 0])
  assert.deepEqual(await page.run(() => window.opened), ['/api/patch-notes/a/video-status-stream'])
  assert.deepEqual(await complaints(), [])
})

test('a component that is gone closes its stream and asks nothing', async (t) => {
  const { client, page, streams, polls, show, shows, seen, complaints } = await studio(t)
  await show({ id: 'a' })
  await shows({ status: 'idle', connection: 'live' })
  const before = await seen()
  await show(null)
  await until(() => !streams()[0].isOpen)
  await client.transition('a', 'start')
  await show({ id: 'b' })
  await shows({ id: 'b', connection: 'live' })
  assert.deepEqual((await seen()).filter(({ id }) => id === 'a'), before)
  assert.deepEqual([streams().length, polls().length], [1, 0])
  assert.deepEqual(await complaints(), [])
})

test('a page that turns to another render shows nothing more of the old one', async (t) => {
  const { client, streams, show, shows, seen, complaints } = await studio(t)
  await client.transition('a', 'start')
  await client.transition('a', 'progress', { context: { progress: 40 } })
  await show({ id: 'a' })
  await shows({ id: 'a', ...rendering })
  await show({ id: 'ä /?' })
  await shows({ id: 'ä /?', status: 'idle', connection: 'live' })
  await until(() => !streams()[0].isOpen)
  await client.transition('a', 'complete', complete)
  await client.transition('ä /?', 'start')
  await shows({ id: 'ä /?', status: 'queued' })
  const ofTheNew = (await seen()).filter(({ id }) => id !== 'a')
  assert.deepEqual(ofTheNew.map(({ status }) => status), [null, 'idle', 'queued'])
  assert.deepEqual(await complaints(), [])
})

test('after a 503 it polls, and turns back to the stream when there is one', async (t) => {
  const { client, answers, streams, polls, show, shows } = await studio(t, { faster: 20 })
  await client.transition('a', 'start')
  answers.stream = () => unavailable()
  await show({ id: 'a' })
  await shows({ status: 'queued', connection: 'polling' })
  await client.transition('a', 'progress', { context: { progress: 10 } })
  await shows({ progress: 10, connection: 'polling' })
  await until(() => streams().length >= 2)
  answers.stream = null
  await shows({ progress: 10, connection: 'live' })
  // Only by a push: a poll gets no answer any more.
  answers.status = () => null
  await client.transition('a', 'progress', { context: { progress: 40 } })
  await shows({ ...rendering, connection: 'live' })
  assert.ok(polls().every(({ isOpen, status }) => !isOpen || status !== null))
})

for (const [what, answer] of [
  ['never comes', () => null],
  ['is held back', (request) => new Response(silence(request.signal), { headers: { 'Content-Type': 'text/event-stream' } })],
  ['is a page', () => new Response('<h1>Hello</h1>', html)]
]) {
  test(`where the stream ${what}, it polls to the end and then asks nothing`, async (t) => {
    const { client, page, answers, requests, streams, polls, show, shows } = await studio(t, { faster: 20 })
    answers.stream = answer
    await client.transition('a', 'start')
    await show({ id: 'a' })
    await shows({ status: 'queued', connection: 'polling' })
    await client.transition('a', 'progress')
    await client.transition('a', 'complete', complete)
    assert.deepEqual(await shows({ connection: 'ended' }), { id: 'a', ...completed, connection: 'ended' })
    await until(() => [...streams(), ...polls()].every(({ isOpen }) => !isOpen))
    const count = requests.length
    // Another render is polled several times meanwhile.
    await show({ id: 'b' })
    await until(() => polls('b').length > 5)
    assert.equal(requests.length - count, streams('b').length + polls('b').length)
    assert.equal(await page.run(() => window.complaints.length), 0)
  })
}

test('without EventSource it polls', async (t) => {
  const { client, page, streams, show, shows } = await studio(t, { faster: 20 })
  await page.run(() => delete window.EventSource)
  await show({ id: 'a' })
  await shows({ status: 'idle', connection: 'polling' })
  await client.transition('a', 'start')
  await client.transition('a', 'cancel', { context: { error: 'enough' } })
  await shows({ status: 'failed', error: 'enough', connection: 'ended' })
  assert.equal(streams().length, 0)
})

test('a late answer to a poll does not overwrite what was pushed', async (t) => {
  const { client, page, answers, polls, show, shows, seen } = await studio(t, { faster: 20 })
  await client.transition('a', 'start')
  const held = []
  answers.stream = () => unavailable()
  answers.status = () => new Promise((resolve) => held.push(() => resolve(Response.json({ status: 'queued', progress: 0 }))))
  await show({ id: 'a' })
  await until(() => held.length > 0)
  await client.transition('a', 'progress', { context: { progress: 40 } })
  answers.stream = null
  await shows({ ...rendering, connection: 'live' })
  for (const release of held) release()
  await until(() => polls().every(({ isOpen }) => !isOpen))
  await page.run(() => fetch('/').then(() => null))
  await client.transition('a', 'progress', { context: { progress: 50 } })
  await shows({ progress: 50, connection: 'live' })
  assert.ok((await seen()).every(({ status }) => status !== 'queued'))
})

test('polls do not overlap, and keep the pause that the server asks for', async (t) => {
  const { client, answers, polls, show, shows } = await studio(t, { faster: 100 })
  await client.transition('a', 'start')
  const times = []
  let open = 0
  let mostOpen = 0
  answers.stream = () => unavailable()
  answers.status = async () => {
    times.push(performance.now())
    mostOpen = Math.max(mostOpen, ++open)
    await new Promise((resolve) => setImmediate(resolve))
    open--
    if (times.length === 5) answers.status = null
    return unavailable({ 'Retry-After': '1' })
  }
  await show({ id: 'a' })
  await shows({ status: 'queued', connection: 'polling' })
  assert.equal(times.length, 5)
  assert.ok(polls().length >= 6)
  assert.equal(mostOpen, 1)
  for (const [index, time] of times.slice(1).entries()) {
    assert.ok(time - times[index] >= 900, `${time - times[index]} ms between two polls`)
  }
})

test('a page that nobody sees does not poll, and does so at once when it is seen again', async (t) => {
  const { client, page, openPage, answers, polls, show, shows } = await studio(t, { faster: 20 })
  answers.stream = () => unavailable()
  await show({ id: 'a' })
  await shows({ status: 'idle', connection: 'polling' })
  const other = await openPage()
  await other.run(() => window.show({ id: 'b' }))
  await until(() => polls('b').length >= 1)
  const count = polls().length
  await until(() => polls('b').length > 8)
  assert.equal(polls().length, count)
  await client.transition('a', 'start')
  assert.equal(await page.run(() => document.visibilityState), 'visible')
  await shows({ status: 'queued' })
})

for (const [status, error] of [
  [400, 'There can be no render of this id.'],
  [401, 'You have to sign in to see this render.'],
  [403, 'You are not allowed to see this render.'],
  [404, 'There is no such render.']
]) {
  test(`a ${status} says so, and is not asked again until refresh`, async (t) => {
    const { client, page, answers, streams, polls, show, shows } = await studio(t, { faster: 100 })
    answers.stream = answers.status = () => new Response(null, { status })
    await client.transition('a', 'start')
    await show({ id: 'a' })
    await shows({ status: null, error, connection: 'refused' })
    // Meanwhile another one is refused as well, and so nothing waits any more.
    await show({ id: 'b' })
    await shows({ id: 'b', connection: 'refused' })
    await until(() => [...streams(), ...polls()].every(({ isOpen }) => !isOpen))
    assert.deepEqual([streams().length, polls().length, streams('b').length, polls('b').length], [1, 1, 1, 1])
    answers.stream = answers.status = null
    await page.run(() => window.refresh())
    await shows({ id: 'b', status: 'idle', error: null, connection: 'live' })
  })
}

test('after the end, refresh follows a new run', async (t) => {
  const { client, page, streams, polls, show, shows } = await studio(t)
  await client.transition('a', 'start')
  await client.transition('a', 'fail', { context: { error: 'out of memory' } })
  await show({ id: 'a' })
  await shows({ status: 'failed', error: 'out of memory', connection: 'ended' })
  await client.transition('a', 'start')
  await page.run(() => window.refresh())
  await shows({ status: 'queued', error: null, connection: 'live' })
  await client.transition('a', 'progress')
  await client.transition('a', 'complete', complete)
  await shows({ ...completed, connection: 'ended' })
  assert.deepEqual([streams().length, polls().length], [2, 0])
})

test('after the end it looks again when the user comes back, and says nothing where nothing is new', async (t) => {
  const { client, page, streams, show, shows, seen } = await studio(t)
  await client.transition('a', 'start')
  await client.transition('a', 'cancel')
  await show({ id: 'a' })
  await shows({ status: 'failed', connection: 'ended' })
  const count = (await seen()).length
  await page.run(() => window.dispatchEvent(new Event('focus')))
  await until(() => streams().length === 2 && !streams()[1].isOpen)
  await page.run(() => fetch('/').then(() => null))
  assert.equal((await seen()).length, count)
  await client.transition('a', 'start')
  await page.run(() => window.dispatchEvent(new Event('focus')))
  await shows({ status: 'queued', connection: 'live' })
})

test('a stream that was silent for long is opened anew when the user comes back, and the page shows nothing of it', async (t) => {
  const { client, page, streams, polls, show, shows, seen } = await studio(t)
  await client.transition('a', 'start')
  await show({ id: 'a' })
  await shows({ status: 'queued', connection: 'live' })
  const comeBack = () => page.run(() => window.dispatchEvent(new Event('focus')))
  await comeBack()
  const before = await seen()
  await page.run(() => {
    const { now } = Date
    Date.now = () => now() + 60_000
  })
  await comeBack()
  await until(() => streams().length === 2 && !streams()[0].isOpen)
  await client.transition('a', 'progress', { context: { progress: 40 } })
  await shows({ ...rendering, connection: 'live' })
  assert.deepEqual((await seen()).slice(0, -1), before)
  assert.deepEqual([streams().length, polls().length], [2, 0])
})

test('a server renders what it knows, and asks nothing', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-'], { input: bundle('server.jsx', 'node'), encoding: 'utf8' })
  assert.equal(stderr, '')
  assert.equal(status, 0)
  assert.deepEqual(stdout.trim().split('\n'), ['<output>null 0 connecting</output>', '<output>rendering 40 connecting</output>'])
})
