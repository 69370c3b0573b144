import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createCancelRoute, createHistoryRoute, createRegenerateRoute, createStatusRoute, createStatusStreamRoute } from 'renderstate/next'
import { ask, body, get, getMany, post, routes, sameOrigin } from './support/routes.mjs'
import { initializedSource, madeUpSidecar, open, temporaryFolder } from './support/sidecar.mjs'
import { sseReader } from './support/sse.mjs'

const authorize = () => true

test('the status has the shape that pages know', async (t) => {
  const { client } = open(t)
  const { status } = routes(() => client)
  assert.deepEqual(await body(await get(status), 200), { status: 'idle', progress: 0 })
  await client.transition('a', 'start')
  await client.transition('a', 'progress', { context: { progress: 12.5, metadata: { secret: 1 } } })
  assert.deepEqual(await body(await get(status), 200), { status: 'rendering', progress: 12.5 })
  await client.transition('a', 'fail', { context: { error: 'no disk' } })
  assert.deepEqual(await body(await get(status), 200), { status: 'failed', progress: 12.5, error: 'no disk' })
  await client.transition('a', 'start')
  await client.transition('a', 'progress')
  await client.transition('a', 'complete', { context: { videoUrl: 'https://v.example/a' } })
  const done = { status: 'completed', progress: 100, videoUrl: 'https://v.example/a' }
  assert.deepEqual(await body(await get(status), 200), done)
  const own = routes(client, { answer: ({ id, attempt }) => ({ id, attempt }) })
  assert.deepEqual(await body(await get(own.status), 200), { id: 'a', attempt: 2 })
  assert.deepEqual((await sseReader(await get(own.stream)).events())[0].data, { id: 'a', attempt: 2 })
})

test('the stream answers events, and goes on from Last-Event-ID', async (t) => {
  const { client } = open(t)
  const { stream } = routes(client, { retryMs: 7 })
  await client.transition('a', 'start')
  await client.transition('a', 'cancel')
  const reader = sseReader(await get(stream))
  assert.deepEqual(await reader.next(), { retry: '7' })
  assert.deepEqual((await reader.events()).map((event) => event.event), ['status', 'end'])
  assert.equal((await get(stream, 'a', { headers: { 'Last-Event-ID': '2' } })).status, 204)
  const controller = new AbortController()
  controller.abort()
  assert.equal((await get(stream, 'a', { signal: controller.signal })).status, 499)
  assert.equal((await client.stats()).subscriptions, 0)
})

test('a click starts what is idle or failed, renders again what is completed, and leaves alone what is active', async (t) => {
  const { client } = open(t)
  const { regenerate, started } = routes(client, { actor: 'POST regenerate' })
  assert.deepEqual(await body(await post(regenerate), 202), { status: 'queued', progress: 0 })
  assert.deepEqual(await body(await post(regenerate), 409), { status: 'queued', progress: 0 })
  await client.transition('a', 'progress', { context: { progress: 5 } })
  assert.deepEqual(await body(await post(regenerate), 409), { status: 'rendering', progress: 5 })
  await client.transition('a', 'fail', { context: { error: 'x' } })
  assert.deepEqual(await body(await post(regenerate), 202), { status: 'queued', progress: 0 })
  await client.transition('a', 'progress')
  await client.transition('a', 'complete', { context: { videoUrl: 'https://v.example/a' } })
  assert.deepEqual(await body(await post(regenerate), 202), { status: 'queued', progress: 0 })
  assert.deepEqual(started.map(({ state, run, attempt }) => [state, run, attempt]), [['queued', 1, 1], ['queued', 1, 2], ['queued', 2, 1]])
  assert.equal((await client.getHistory('a')).changes[0].actor, 'POST regenerate')
})

test('of many clicks at once one begins the render, from whatever state, also where that fails at once', async (t) => {
  const { client } = open(t)
  let calls = 0
  const { regenerate } = routes(client, {
    onStart: () => {
      calls += 1
      throw new Error('no capacity')
    }
  })
  for (const id of ['idle', 'failed', 'completed']) {
    if (id !== 'idle') await client.transition(id, 'start')
    if (id === 'failed') await client.transition(id, 'fail')
    if (id === 'completed') {
      await client.transition(id, 'progress')
      await client.transition(id, 'complete', { context: { videoUrl: 'https://v.example/a' } })
    }
    calls = 0
    const responses = await Promise.all(Array.from({ length: 20 }, () => post(regenerate, id)))
    assert.equal(calls, 1, id)
    assert.deepEqual(responses.map(({ status }) => status).sort(), [...Array(19).fill(409), 502], id)
    assert.equal((await client.getStatus(id)).error, 'no capacity')
  }
})

test('what onStart throws becomes the error of the attempt that it was for, and of no other', async (t) => {
  const { client } = open(t)
  const errors = []
  const failing = (onStart) => routes(client, { onStart, onError: (error) => errors.push(error) }).regenerate
  const boom = new Error(`boom \ud800${'x'.repeat(2 ** 21)}`)
  const answer = await body(await post(failing(() => Promise.reject(boom)), 'a'), 502)
  assert.equal(answer.status, 'failed')
  assert.match(answer.error, /^boom \ufffdx+/)
  assert.deepEqual(errors, [boom])
  // After a report of its own, it is still the same attempt.
  const late = failing(async () => {
    await client.transition('b', 'progress', { context: { progress: 3 } })
    throw new Error('late')
  })
  assert.deepEqual(await body(await post(late, 'b'), 502), { status: 'failed', progress: 3, error: 'late' })
  const overtaken = failing(async () => {
    await client.transition('c', 'cancel')
    await client.transition('c', 'start')
    throw new Error('of the first attempt')
  })
  assert.deepEqual(await body(await post(overtaken, 'c'), 502), { status: 'queued', progress: 0 })
  const silent = failing(() => Promise.reject(undefined))
  assert.equal((await body(await post(silent, 'd'), 502)).error, 'it failed without saying why')
})

test('who is not said to be allowed is not, whatever is asked, and nothing is touched', async (t) => {
  const { client } = open(t)
  for (const verdict of [undefined, null, false, 0, 1, 'yes', {}]) {
    const asked = []
    const { status, stream, many, history, regenerate, cancel, started } = routes(client, {
      authorize: async (request, action, id) => {
        asked.push([request instanceof Request, action, id])
        return verdict
      }
    })
    const answers = [await get(status), await get(stream), await getMany(many, ['a']), await ask(history, 'limit=x')]
    for (const response of [...answers, await post(regenerate), await post(cancel)]) {
      assert.deepEqual(await body(response, 403), { error: 'forbidden' })
    }
    assert.deepEqual(asked, ['status', 'stream', 'stream', 'history', 'regenerate', 'cancel'].map((action) => [true, action, 'a']))
    assert.deepEqual(started, [])
  }
  assert.equal(client.pid, null, 'the sidecar was not even started')
  const signIn = new Response('sign in', { status: 401 })
  assert.equal(await get(routes(client, { authorize: () => signIn }).status), signIn)
  const broken = new Error('the session store is down')
  await assert.rejects(get(routes(client, { authorize: () => Promise.reject(broken) }).status), broken)
  for (const create of [createStatusRoute, createStatusStreamRoute, createHistoryRoute, createRegenerateRoute, createCancelRoute]) {
    assert.throws(() => create({ client, onStart() {} }), { kind: 'configuration' })
  }
  assert.throws(() => createRegenerateRoute({ client, authorize }), { kind: 'configuration' })
})

test('a page of another origin changes nothing', async (t) => {
  const { client } = open(t)
  let number = 0
  const { regenerate, cancel } = routes(client, { allowedOrigins: ['https://admin.example'] })
  const answered = async (headers) => (await post(regenerate, `render ${(number += 1)}`, headers)).status
  await client.transition('active', 'start')
  const Host = 'studio.example'
  for (const headers of [
    {},
    { Host },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site', Origin: 'http://studio.example' },
    { 'Sec-Fetch-Site': '' },
    { Origin: 'http://evil.example', Host },
    { Origin: 'http://studio.example.evil.example', Host },
    { Origin: 'http://studio.example:8080', Host },
    { Origin: 'http://evil.example/studio.example', Host },
    { Origin: 'null', Host },
    { Origin: 'file://', Host },
    { Origin: 'https://admin.example.evil.example', Host }
  ]) {
    assert.equal(await answered(headers), 403, JSON.stringify(headers))
    assert.equal((await post(cancel, 'active', headers)).status, 403, JSON.stringify(headers))
  }
  assert.deepEqual((await client.listStatuses()).statuses.map(({ id, state }) => [id, state]), [['active', 'queued']])
  for (const headers of [
    sameOrigin,
    { Origin: 'http://studio.example' },
    { Origin: 'https://studio.example', Host },
    { Origin: 'https://public.example', Host: '10.0.0.7:3000', 'X-Forwarded-Host': 'public.example' },
    { Origin: 'https://admin.example', 'Sec-Fetch-Site': 'cross-site' }
  ]) {
    assert.equal(await answered(headers), 202, JSON.stringify(headers))
    assert.equal((await post(cancel, `render ${number}`, headers)).status, 200, JSON.stringify(headers))
  }
})

test('trouble with the store or the sidecar is 503 for the browser, with the cause for the host only', async (t) => {
  const folder = temporaryFolder(t)
  for (const data of [{ kind: 'storeBusy' }, { kind: 'storeUnavailable', retryable: false }]) {
    const code = data.kind === 'storeBusy' ? -32004 : -32005
    const command = madeUpSidecar(folder, `${initializedSource}
      lines.on('line', (line) => {
        const { id, method } = JSON.parse(line)
        if (method === 'initialize') process.stdout.write(initialized(id))
        else if (id !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id,
          error: { code: ${code}, message: 'disk /secret is full', data: ${JSON.stringify(data)} } }) + '\\n')
      })`)
    await refused(t, { command }, data.kind)
  }
  await refused(t, { command: madeUpSidecar(folder, `console.error('secret'); process.exit(3)`) }, 'sidecarFailed')
  const { client } = open(t)
  await client.close()
  assert.equal((await get(routes(client).status)).status, 503)
  const missing = open(t, { command: join(folder, 'nowhere') })
  await assert.rejects(get(routes(missing.client).status), { kind: 'binaryNotFound' })
})

test('what the host asks for wrongly is thrown, and not blamed on the id', async (t) => {
  const { client } = open(t)
  for (const options of [{ timeouts: { queuedMs: -1 } }, { actor: 'x'.repeat(201) }]) {
    await assert.rejects(post(routes(client, options).regenerate), { kind: 'invalidParams' })
  }
  assert.equal((await client.getStatus('a')).state, 'idle')
})

async function refused(t, options, kind) {
  const { client } = open(t, options)
  const errors = []
  const { status, stream, many, history, regenerate, cancel, started } = routes(client, { onError: (error) => errors.push(error.kind) })
  const answers = [await get(status), await get(stream), await getMany(many, ['a', 'b']), await get(history)]
  for (const response of [...answers, await post(regenerate), await post(cancel)]) {
    assert.equal(response.headers.get('retry-after'), '2')
    assert.deepEqual(await body(response, 503), { error: 'the state of renders cannot be read right now' })
  }
  assert.deepEqual(errors, Array(6).fill(kind))
  assert.deepEqual(started, [])
}
