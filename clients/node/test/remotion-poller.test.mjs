import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RenderPoller, startRender } from 'renderstate/remotion'
import { spawnHost } from './support/host.mjs'
import { fakeRenderer, input, report, site } from './support/renderer.mjs'
import { history, killSidecar, open, openBeside, until } from './support/sidecar.mjs'

const quick = { intervalMs: 3, lookAgainMs: 3, maxPauseMs: 20, unknownMs: 60_000, leaseMs: 5000 }
const done = report({ overallProgress: 1, done: true, outputFile: 'https://s3.example/out.mp4' })

function poller(t, client, look, options = {}) {
  const renderer = fakeRenderer({ look })
  const made = new RenderPoller({ client, renderer, ...site, ...quick, ...options })
  t.after(() => made.stop())
  return { renderer, poller: made, looks: renderer.calls.look }
}

async function started(t, id = 'intro') {
  const { client, database } = open(t)
  await startRender(client, fakeRenderer(), id, input)
  return { client, database }
}

/** Answers one after the other; the last one for ever. */
const inTurn = (...answers) => (_, count) => {
  const answer = answers[Math.min(count, answers.length) - 1]
  if (answer instanceof Error) throw answer
  return answer
}

test('progress goes to the store and never back, until the video is there', async (t) => {
  const { client } = await started(t)
  const { poller: it, looks } = poller(t, client, inTurn(...[0.1, 0.5, 0.99, 0.85, 0.99].map((overallProgress) => report({ overallProgress })), done))
  const status = await it.poll('intro')
  assert.deepEqual([status.state, status.videoUrl, status.progress], ['completed', 'https://s3.example/out.mp4', 100])
  assert.deepEqual(looks[0], { renderId: 'render1', bucketName: 'remotionlambda-x', ...site })
  assert.equal(looks.length, 6)
  const changes = await history(client, 'intro')
  assert.deepEqual(changes.map((change) => [change.event, change.progress, change.actor]).slice(2), [
    ['progress', 10, 'poller'],
    ['progress', 50, 'poller'],
    ['progress', 99, 'poller'],
    ['complete', 100, 'poller']
  ])
})

test('errors that the renderer tries again are none; a fatal one is the end, with its message', async (t) => {
  const { client } = await started(t)
  const errors = [{ message: 'flaky', isFatal: false }, { message: 'no memory', isFatal: true }]
  const { poller: it } = poller(t, client, inTurn(report({ errors }), report({ errors, fatalErrorEncountered: true })))
  const status = await it.poll('intro')
  assert.deepEqual([status.state, status.error, status.lastEvent], ['failed', 'no memory', 'fail'])
})

test('a video whose URL cannot be stored, or a fatal end that names no error, is a failure', async (t) => {
  const long = report({ done: true, outputFile: `https://s3.example/${'x'.repeat(3000)}` })
  const half = report({ done: true, outputFile: 'https://s3.example/\ud800' })
  const silent = { ...report({ fatalErrorEncountered: true }), errors: undefined }
  for (const [answer, said] of [[long, /cannot be stored.*2048/], [half, /cannot be stored/], [silent, /without saying why/]]) {
    const { client } = await started(t)
    const status = await poller(t, client, inTurn(answer)).poller.poll('intro')
    assert.equal(status.state, 'failed')
    assert.match(status.error, said)
  }
})

test('a cancel of the renderer is a cancel', async (t) => {
  const { client } = await started(t)
  const fatal = report({ fatalErrorEncountered: true, errors: [{ name: 'CancelledError', message: 'cancelled', isFatal: true }] })
  const status = await poller(t, client, inTurn(fatal)).poller.poll('intro')
  assert.deepEqual([status.state, status.error, status.lastEvent], ['failed', 'cancelled', 'cancel'])
})

test('after a timeout it looks once more before the render fails', async (t) => {
  const timeout = report({ fatalErrorEncountered: true, errors: [{ name: 'TimeoutError', message: 'The main function timed out', isFatal: true }] })
  const first = await started(t)
  const late = poller(t, first.client, inTurn(timeout, done))
  assert.equal((await late.poller.poll('intro')).state, 'completed')
  const second = await started(t)
  const gone = poller(t, second.client, inTurn(timeout))
  const status = await gone.poller.poll('intro')
  assert.deepEqual([status.state, status.error, gone.looks.length], ['failed', 'The main function timed out', 2])
  const third = await started(t)
  const there = poller(t, third.client, inTurn({ ...timeout, outputFile: 'https://s3.example/out.mp4' }))
  assert.equal((await there.poller.poll('intro')).state, 'completed')
})

test('throttling and a render that is not known yet are no failure; one that stays unknown is', async (t) => {
  const { client } = await started(t)
  const throttled = Object.assign(new Error('Rate Exceeded.'), { name: 'TooManyRequestsException' })
  const unknown = new Error('No render ID found')
  const logs = []
  const { poller: it, looks } = poller(t, client, inTurn(unknown, unknown, throttled, throttled, done), { logger: (line) => logs.push(line) })
  assert.equal((await it.poll('intro')).state, 'completed')
  assert.equal(looks.length, 5)
  assert.deepEqual(logs, Array(2).fill('polling "intro": Rate Exceeded.'))
  const other = await started(t)
  const status = await poller(t, other.client, inTurn(unknown), { unknownMs: 20 }).poller.poll('intro')
  assert.deepEqual([status.state, status.error], ['failed', 'No render ID found'])
})

test('a render that ends otherwise ends the polling at once; one that has ended or never began costs no look', async (t) => {
  const { client } = await started(t)
  const { poller: it, looks } = poller(t, client, inTurn(report()), { intervalMs: 3_600_000 })
  const polling = it.poll('intro')
  assert.equal(it.poll('intro'), polling)
  await until(() => looks.length === 1, 'the first look')
  await client.transition('intro', 'cancel')
  assert.equal((await polling).lastEvent, 'cancel')
  assert.equal((await it.poll('intro')).state, 'failed')
  assert.equal((await it.poll('never')).state, 'idle')
  assert.equal(looks.length, 1)
  // The lease was given back.
  assert.equal((await client.acquireLease({ name: 'poll intro', holder: 'test', ttlMs: 1000 })).acquired, true)
})

test('it may be called before the renderer has answered', async (t) => {
  const { client } = open(t)
  await client.transition('intro', 'start')
  const { poller: it, looks } = poller(t, client, inTurn(done))
  const polling = it.poll('intro')
  await client.getStatus('intro', { fresh: true })
  assert.equal(looks.length, 0)
  await client.transition('intro', 'progress', { context: { renderId: 'r', bucketName: 'b' } })
  assert.equal((await polling).state, 'completed')
})

test('a renderer that does not answer is asked again, and stop does not wait for it', async (t) => {
  const { client } = await started(t)
  const hanging = poller(t, client, () => new Promise(() => null), { lookTimeoutMs: 5 })
  const stopped = assert.rejects(hanging.poller.poll('intro'), { kind: 'closed' })
  await until(() => hanging.looks.length >= 3, 'it is asked again')
  await hanging.poller.stop()
  await stopped
  await assert.rejects(hanging.poller.poll('intro'), { kind: 'closed' })
  // Its lease is free.
  assert.equal((await poller(t, client, inTurn(done), { leaseMs: 3_600_000 }).poller.poll('intro')).state, 'completed')
})

test('of the pollers of two sidecars one asks, while the lease is renewed, and all of them learn the end', async (t) => {
  const { client, database } = await started(t)
  let isDone = false
  const look = () => (isDone ? done : report({ overallProgress: 0.2 }))
  const made = [client, client, openBeside(t, database)].map((each) => poller(t, each, look, { leaseMs: 600 }))
  const ends = made.map((each) => each.poller.poll('intro'))
  const begin = Date.now()
  await until(() => Date.now() - begin > 1500 && made.some((each) => each.looks.length > 20), 'several lease times')
  isDone = true
  for (const end of ends) assert.equal((await end).state, 'completed')
  assert.deepEqual(made.map((each) => each.looks.length > 0).filter(Boolean).length, 1)
})

test('a process that is killed loses its lease, and another one goes on', async (t) => {
  const { client, database } = await started(t)
  const host = spawnHost(t, 'poller.mjs', [database, 'intro', '1000'])
  await host.line(0)
  const { poller: it, looks } = poller(t, client, inTurn(done), { leaseMs: 1000 })
  const polling = it.poll('intro')
  // Well past the first lease.
  await host.line(120)
  assert.equal(looks.length, 0)
  host.child.kill('SIGKILL')
  assert.equal((await polling).state, 'completed')
  assert.equal(looks.length, 1)
})

test('a sidecar that is killed does not end the polling', async (t) => {
  const { client } = await started(t)
  let isDone = false
  const { poller: it, looks } = poller(t, client, () => (isDone ? done : report({ overallProgress: 0.3 })))
  const polling = it.poll('intro')
  for (let round = 0; round < 3; round += 1) {
    const seen = looks.length
    await until(() => looks.length > seen, 'a look')
    await killSidecar(client)
  }
  isDone = true
  assert.equal((await polling).state, 'completed')
})

test('the longest of ids has a lease, too', async (t) => {
  const id = '漢'.repeat(66)
  const { client } = await started(t, id)
  assert.equal((await poller(t, client, inTurn(done)).poller.poll(id)).state, 'completed')
})
