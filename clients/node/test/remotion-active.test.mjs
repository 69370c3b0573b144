import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RenderStateError } from 'renderstate'
import { RenderPoller, startRender } from 'renderstate/remotion'
import { spawnHost } from './support/host.mjs'
import { fakeRenderer, input, report, site } from './support/renderer.mjs'
import { killSidecar, open, openBeside, readUntil, until } from './support/sidecar.mjs'

const quick = { intervalMs: 3, lookAgainMs: 3, maxPauseMs: 20, leaseMs: 5000 }
const done = report({ overallProgress: 1, done: true, outputFile: 'https://s3.example/out.mp4' })

/** A poller of all active renders; `ended` is what pollActive gave, `logs` what went wrong. */
function active(t, client, look = () => done, options = {}) {
  const logs = []
  const renderer = fakeRenderer({ look })
  const poller = new RenderPoller({ client, renderer, ...site, ...quick, logger: (line) => logs.push(line), ...options })
  t.after(() => poller.stop())
  const ended = poller.pollActive()
  return { poller, ended, looks: renderer.calls.look, logs }
}

const completed = (client, id) => client.waitFor(id, { states: ['completed'] })
/** Begins a render of that renderId, as startRender would. */
async function begin(client, id, renderId = `render of ${id}`) {
  await client.transition(id, 'start')
  await client.transition(id, 'progress', { context: { renderId, bucketName: 'b' } })
}

test('a render of a process that was killed is finished by one that only polls what is active', async (t) => {
  const { client, database } = open(t)
  const host = spawnHost(t, 'starter.mjs', [database, 'intro', '1000'])
  await host.line(3)
  host.child.kill('SIGKILL')
  await host.ended
  const { looks } = active(t, client, undefined, { leaseMs: 1000 })
  const status = await completed(client, 'intro')
  assert.deepEqual([status.videoUrl, status.progress, status.attempt], ['https://s3.example/out.mp4', 100, 1])
  assert.equal(looks.length, 1)
})

test('what is active already and what becomes active later is polled; what is idle or over costs no subscription', async (t) => {
  const { client, database } = open(t)
  const other = openBeside(t, database)
  for (let index = 0; index < 30; index += 1) {
    await client.transition(`over ${index}`, 'start')
    await client.transition(`over ${index}`, 'cancel')
  }
  await begin(client, 'before')
  const { poller, ended, looks } = active(t, client)
  assert.equal(poller.pollActive(), ended, 'twice is once')
  await completed(client, 'before')
  await begin(other, 'later')
  await completed(client, 'later')
  // Queued at first, with nothing to ask the renderer about.
  await client.transition('queued', 'start')
  await until(async () => (await client.stats()).subscriptions === 2, 'the queued one is followed')
  await other.transition('queued', 'progress', { context: { renderId: 'r', bucketName: 'b' } })
  await completed(client, 'queued')
  assert.deepEqual(looks.map(({ renderId }) => renderId), ['render of before', 'render of later', 'r'])
  await until(async () => (await client.stats()).subscriptions === 1, 'one is left, of all that is active')
  await poller.stop()
  assert.equal(await ended, undefined)
  assert.equal(await poller.pollActive(), undefined)
  assert.equal((await client.stats()).subscriptions, 0)
})

test('a render that is started again whenever it ends is polled each time', async (t) => {
  const { client, database } = open(t)
  const other = openBeside(t, database)
  active(t, client)
  for (const [index, starter] of Array.from({ length: 60 }, (_, index) => [index, index % 2 ? client : other])) {
    const fresh = await starter.getStatus('a', { fresh: true })
    if (fresh.state === 'completed') await starter.regenerate('a')
    else await starter.transition('a', 'start')
    await starter.transition('a', 'progress', { context: { renderId: `r${index}`, bucketName: 'b' } })
    await completed(starter, 'a')
  }
})

test('a render that is started again just when it is found to be over is polled again', async (t) => {
  const { client } = open(t)
  const told = client.watch({ states: ['rendering'] })
  let isFirst = true
  const late = Object.create(client, {
    getStatus: {
      async value(...given) {
        const status = await client.getStatus(...given)
        if (status.state !== 'completed' || !isFirst) return status
        isFirst = false
        await client.regenerate('a')
        await client.transition('a', 'progress', { context: { renderId: 'again', bucketName: 'b' } })
        await readUntil(told, ({ change }) => change?.renderId === 'again')
        // All watches have told it by then.
        await new Promise(setImmediate)
        return status
      }
    }
  })
  const { looks } = active(t, late)
  await begin(client, 'a')
  await until(async () => (await client.getStatus('a')).run === 2, 'the second run')
  await completed(client, 'a')
  assert.deepEqual(looks.map(({ renderId }) => renderId), ['render of a', 'again'])
  await told.return()
})

test('a render that the list leaves out, because it changes meanwhile, is polled', async (t) => {
  const { client } = open(t)
  for (const id of ['a', 'b']) await begin(client, id)
  const listing = Object.create(client, {
    listStatuses: {
      async value(options) {
        await client.transition('b', 'progress', { context: { progress: 1 } })
        const page = await client.listStatuses(options)
        return { ...page, statuses: page.statuses.filter(({ id }) => id !== 'b') }
      }
    }
  })
  active(t, listing)
  await Promise.all(['a', 'b'].map((id) => completed(client, id)))
})

test('while the store or the sidecar is not to be had it waits, and goes on', async (t) => {
  const { client } = open(t)
  for (const id of ['a', 'b']) await begin(client, id)
  const failing = {}
  const kinds = ['storeBusy', 'storeUnavailable', 'sidecarFailed']
  const failure = () => new RenderStateError(kinds.shift(), 'not now')
  for (const name of ['listStatuses', 'getStatus', 'acquireLease']) {
    const left = ['storeBusy', 'storeUnavailable', 'sidecarFailed']
    failing[name] = {
      value: async (...given) => {
        if (left.length > 0) throw new RenderStateError(left.shift(), `not now: ${name}`)
        return client[name](...given)
      }
    }
  }
  failing.watch = {
    value: (...given) => {
      if (kinds.length === 0) return client.watch(...given)
      return (async function* () {
        throw failure()
      })()
    }
  }
  const { logs } = active(t, Object.create(client, failing))
  await Promise.all(['a', 'b'].map((id) => completed(client, id)))
  assert.ok(logs.includes('polling the active renders: not now'))
  assert.ok(logs.includes('polling the active renders: not now: listStatuses'))
  await until(() => logs.some((line) => /^polling "[ab]": not now: getStatus$/.test(line)), 'the other log lines')
})

test('a sidecar that is killed again and again does not end it', async (t) => {
  const { client } = open(t)
  const { looks } = active(t, client)
  for (let round = 0; round < 3; round += 1) {
    await begin(client, `render ${round}`)
    await completed(client, `render ${round}`)
    await killSidecar(client)
  }
  assert.equal(looks.length, 3)
})

test('of two processes that poll what is active, one asks about each render, and none is left out', async (t) => {
  const warnings = []
  const warn = (warning) => warnings.push(warning.message)
  process.on('warning', warn)
  t.after(() => process.off('warning', warn))
  const { client, database } = open(t)
  const other = openBeside(t, database)
  const ids = Array.from({ length: 40 }, (_, index) => `render ${index}`)
  let isDone = false
  const look = () => (isDone ? done : report({ overallProgress: 0.2 }))
  const pollers = [client, other].map((each) => active(t, each, look))
  await Promise.all(ids.map((id) => begin(client, id)))
  await until(() => new Set(pollers.flatMap(({ looks }) => looks.map(({ renderId }) => renderId))).size === ids.length, 'all are looked at')
  const [ours, theirs] = pollers.map(({ looks }) => new Set(looks.map(({ renderId }) => renderId)))
  assert.deepEqual([...ours].filter((id) => theirs.has(id)), [])
  isDone = true
  await Promise.all(ids.map((id) => completed(client, id)))
  assert.deepEqual(warnings, [])
})

test('it ends with the client, and rejects where there is no sidecar', async (t) => {
  const { client } = open(t)
  const { ended } = active(t, client)
  await client.transition('a', 'start')
  await client.close()
  assert.equal(await ended, undefined)
  const missing = open(t, { command: '/nowhere/renderstate' })
  await assert.rejects(active(t, missing.client).ended, { kind: 'binaryNotFound' })
})

test('startRender needs no poll of its own then', async (t) => {
  const { client } = open(t)
  active(t, client)
  await startRender(client, fakeRenderer(), 'intro', input)
  assert.equal((await completed(client, 'intro')).renderId, 'render1')
})
