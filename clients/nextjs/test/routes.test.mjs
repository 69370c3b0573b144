import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { signWebhook } from '../../node/dist/remotion/index.js'
import { sseReader } from '../../node/test/support/sse.mjs'
import { lambdaEnvironment, startApp, until } from './support/app.mjs'
import { temporaryFolder } from './support/build.mjs'

const notes = '/api/patch-notes'
const gets = ['video-status', 'video-status-stream', 'video-history']
const posts = ['regenerate-video', 'cancel-video']

async function json(response, status) {
  const body = await response.json()
  assert.equal(response.status, status, JSON.stringify(body))
  assert.match(response.headers.get('content-type'), /^application\/json/)
  return body
}

/** Sends what Remotion Lambda would when the render of that input has ended. */
async function webhook(app, input, body, secret = lambdaEnvironment.REMOTION_WEBHOOK_SECRET) {
  const raw = JSON.stringify({ bucketName: 'remotionlambda-x', expectedBucketOwner: '1', customData: input.webhook.customData, ...body })
  const headers = { 'Content-Type': 'application/json', 'X-Remotion-Mode': 'production', 'X-Remotion-Signature': signWebhook(raw, secret) }
  return app.post('/api/webhooks/remotion', { headers, body: raw })
}

test('a video is rendered, watched, reported by a webhook, and rendered again', async (t) => {
  const app = await startApp(t, { lambda: true })
  assert.deepEqual(await json(await app.get(`${notes}/7/video-status`), 200), { status: 'idle', progress: 0 })
  const viewer = sseReader(await app.get(`${notes}/7/video-status-stream`))
  assert.deepEqual((await viewer.events(() => true))[0].data, { status: 'idle', progress: 0 })

  assert.equal((await json(await app.post(`${notes}/7/regenerate-video`), 202)).status, 'rendering')
  const [[name, input]] = await app.lambdaCalls()
  assert.equal(name, 'render')
  assert.equal(input.functionName, lambdaEnvironment.REMOTION_APP_FUNCTION_NAME)
  assert.equal(input.serveUrl, lambdaEnvironment.REMOTION_APP_SERVE_URL)
  assert.deepEqual(input.webhook, { url: lambdaEnvironment.REMOTION_WEBHOOK_URL, secret: 'quiet', customData: { id: '7', run: 1, attempt: 1 } })

  const renderId = (await sidecarsView(app, '7')).renderId
  const success = { type: 'success', renderId, outputUrl: 'https://v.example/7.mp4' }
  assert.equal((await webhook(app, input, success, 'guessed')).status, 401)
  assert.deepEqual(await json(await webhook(app, input, success), 200), { applied: true })
  assert.deepEqual(await json(await webhook(app, input, success), 200), { applied: false })
  const done = { status: 'completed', progress: 100, videoUrl: 'https://v.example/7.mp4' }
  assert.deepEqual(await json(await app.get(`${notes}/7/video-status`), 200), done)

  const seen = await viewer.events()
  assert.equal(seen.at(-1).event, 'end')
  assert.deepEqual(seen.at(-2).data, done)
  const order = ['queued', 'rendering', 'completed']
  const states = seen.slice(0, -1).map(({ data }) => order.indexOf(data.status))
  assert.deepEqual(states, [...states].sort(), 'in order')
  const reconnected = await app.get(`${notes}/7/video-status-stream`, { 'Last-Event-ID': seen.at(-2).id })
  assert.equal(reconnected.status, 204)

  assert.equal((await json(await app.post(`${notes}/7/regenerate-video`), 202)).status, 'rendering')
  const { changes, nextAfterSeq } = await json(await app.get(`${notes}/7/video-history`), 200)
  assert.equal(nextAfterSeq, null)
  assert.deepEqual([changes[0].event, changes[0].actor, changes[0].from], ['start', 'regenerate-video', 'idle'])
  const steps = changes.filter(({ event }) => event !== 'progress').map(({ event, run }) => [event, run])
  assert.deepEqual(steps, [['start', 1], ['complete', 1], ['start', 2]])
  assert.equal((await json(await app.get(`${notes}/7/video-history?limit=2&afterSeq=0`), 200)).changes.length, 2)
  assert.deepEqual(app.logs, [])
})

/** The render with its renderId, which no route tells. */
async function sidecarsView(app, id) {
  const { RenderStateClient } = await import('../../node/dist/index.js')
  const client = RenderStateClient.spawn({ database: app.database })
  try {
    return await client.getStatus(id, { fresh: true })
  } finally {
    await client.close()
  }
}

test('of two clicks at once one pays', async (t) => {
  const app = await startApp(t, { lambda: true })
  const answers = await Promise.all(Array.from({ length: 10 }, () => app.post(`${notes}/7/regenerate-video`)))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [202, ...Array(9).fill(409)])
  assert.equal((await app.lambdaCalls()).filter(([name]) => name === 'render').length, 1)
})

test('a cancel stops the renderer', async (t) => {
  const app = await startApp(t, { lambda: true })
  assert.deepEqual(await json(await app.post(`${notes}/7/cancel-video`), 409), { status: 'idle', progress: 0 })
  await app.post(`${notes}/7/regenerate-video`)
  const cancelled = await json(await app.post(`${notes}/7/cancel-video`), 200)
  assert.deepEqual([cancelled.status, cancelled.error], ['failed', 'Render cancelled'])
  const { renderId } = await sidecarsView(app, '7')
  const cancels = (await app.lambdaCalls()).filter(([name]) => name === 'cancel')
  assert.deepEqual(cancels, [['cancel', { renderId, bucketName: 'remotionlambda-x', region: 'eu-central-1' }]])
})

test('what the renderer refuses is failed, and can be tried again', async (t) => {
  const app = await startApp(t, { lambda: true })
  const failed = { status: 'failed', progress: 0, error: 'Rate Exceeded' }
  for (let click = 0; click < 2; click += 1) {
    assert.deepEqual(await json(await app.post(`${notes}/refused/regenerate-video`), 502), failed)
  }
  assert.deepEqual(await json(await app.get(`${notes}/refused/video-status`), 200), failed)
  await until(() => /Rate Exceeded/.test(app.logs.join('\n')), 'the log says it')
})

test('a render whose webhook got lost is completed all the same', async (t) => {
  const app = await startApp(t, { lambda: true })
  await app.post(`${notes}/lost/regenerate-video`)
  const viewer = sseReader(await app.get(`${notes}/lost/video-status-stream`))
  const seen = await viewer.events()
  assert.equal(seen.at(-1).event, 'end')
  assert.match(seen.at(-2).data.videoUrl, /^https:\/\/v\.example\/lost-/)
})

test('many renders come on one connection', async (t) => {
  const app = await startApp(t, { lambda: true })
  await app.post(`${notes}/lost1/regenerate-video`)
  await app.post(`${notes}/lost2/regenerate-video`)
  const viewer = sseReader(await app.get(`${notes}/video-status-stream?id=lost1&id=lost2`))
  const seen = await viewer.events()
  assert.equal(seen.at(-1).event, 'end')
  for (const id of ['lost1', 'lost2']) assert.equal(seen.findLast(({ data }) => data.id === id).data.status, 'completed')
  assert.equal((await app.get(`${notes}/video-status-stream`)).status, 400)
  assert.equal((await app.get(`${notes}/video-status-stream?id=a&id=secret`)).status, 403)
})

test('operators see all renders on one connection, and everybody what they may do with one', async (t) => {
  const app = await startApp(t, { lambda: true })
  await app.post(`${notes}/lost/regenerate-video`)
  const viewer = sseReader(await app.get(`${notes}/video-dashboard-stream`))
  const [{ event, data }] = await viewer.events(({ data }) => data.renders?.some(({ status }) => status === 'completed'))
  assert.deepEqual([event, data.renders.map(({ id }) => id), data.stuckMs], ['renders', ['lost'], 600_000])
  await viewer.cancel()
  const metrics = await app.get('/api/metrics')
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(await metrics.text(), /^renderstate_renders\{state="completed"\} 1$/m)
  for (const path of [`${notes}/video-dashboard-stream`, '/api/metrics']) {
    assert.equal((await app.get(path, { Cookie: 'visitor=1' })).status, 403)
  }
  for (const [id, actions] of Object.entries({ 7: ['regenerate', 'cancel'], readonly: [], secret: [] })) {
    assert.deepEqual(await json(await app.get(`${notes}/${id}/video-actions`), 200), { actions })
  }
})

test('as shipped, nobody may do anything, and the log says which file decides', async (t) => {
  const app = await startApp(t, { shipped: true, lambda: true })
  for (const route of gets) assert.deepEqual(await json(await app.get(`${notes}/7/${route}`), 403), { error: 'forbidden' }, route)
  for (const route of posts) assert.deepEqual(await json(await app.post(`${notes}/7/${route}`), 403), { error: 'forbidden' }, route)
  assert.equal((await app.get(`${notes}/video-status-stream?id=7`)).status, 403)
  assert.deepEqual(await json(await app.get(`${notes}/video-dashboard-stream`), 403), { error: 'forbidden' })
  assert.deepEqual(await json(await app.get('/api/metrics'), 403), { error: 'forbidden' })
  assert.deepEqual(await json(await app.get(`${notes}/7/video-actions`), 200), { actions: [] })
  assert.deepEqual(await app.lambdaCalls(), [])
  assert.equal((await sidecarsView(app, '7')).state, 'idle')
  await until(() => app.logs.length === gets.length + posts.length + 5, 'a line for each refusal')
  for (const line of app.logs) assert.match(line, /^403 for [a-z]+: lib\/authorize\.ts denies everything until you edit it$/)
})

test('every route asks authorize, and those that change something ask where the request comes from', async (t) => {
  const app = await startApp(t, { lambda: true })
  for (const route of gets) assert.equal((await app.get(`${notes}/secret7/${route}`)).status, 403, route)
  for (const route of posts) {
    assert.equal((await app.post(`${notes}/secret7/${route}`)).status, 403, route)
    for (const headers of [{}, { Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }]) {
      assert.equal((await app.post(`${notes}/7/${route}`, { headers })).status, 403, JSON.stringify(headers))
    }
  }
  assert.deepEqual(await app.lambdaCalls(), [])
})

test('the methods are those of the routes', async (t) => {
  const app = await startApp(t, { lambda: true })
  for (const route of gets) assert.equal((await app.post(`${notes}/7/${route}`)).status, 405, route)
  for (const route of posts) assert.equal((await app.get(`${notes}/7/${route}`)).status, 405, route)
  assert.equal((await app.get('/api/webhooks/remotion')).status, 405)
  assert.equal((await app.get(`${notes}/7/video`)).status, 404)
  for (const route of ['video-status', 'video-status-stream']) {
    assert.equal((await app.ask(`${notes}/7/${route}`, { method: 'HEAD' })).status, 200, route)
  }
})

test('an id is taken as it is, or refused', async (t) => {
  const app = await startApp(t, { lambda: true })
  for (const id of ['a/b', '../../etc/passwd', '__proto__', 'constructor', '🎬', 'a b', '%2F', '?id=7']) {
    const path = `${notes}/${encodeURIComponent(id)}`
    assert.equal((await json(await app.get(`${path}/video-status`), 200)).status, 'idle', id)
    await json(await app.post(`${path}/regenerate-video`), 202)
    assert.equal((await sidecarsView(app, id)).state, 'rendering', id)
    assert.equal((await json(await app.post(`${path}/cancel-video`), 200)).status, 'failed', id)
  }
  const before = (await app.lambdaCalls()).length
  for (const id of ['a\r\nb', 'a\0', 'x'.repeat(10_240), 'x'.repeat(201)]) {
    const path = `${notes}/${encodeURIComponent(id)}`
    for (const route of gets) assert.equal((await app.get(`${path}/${route}`)).status, 400, route)
    for (const route of posts) assert.equal((await app.post(`${path}/${route}`)).status, 400, route)
    assert.equal((await app.get(`${notes}/video-status-stream?id=${encodeURIComponent(id)}`)).status, 400)
  }
  assert.equal((await app.get(`${notes}/%ff/video-status`)).status, 400)
  assert.equal((await app.lambdaCalls()).length, before)
})

test('a store that cannot be had is 503, and the log of each route says what to do', async (t) => {
  const app = await startApp(t, { lambda: true, env: { RENDERSTATE_DATABASE: '/nowhere/renders.sqlite' } })
  // Not the poller's lines, which come by themselves.
  const says = () => app.logs.filter((line) => /^RenderStateError: .*the folder \/nowhere does not exist; make it/.test(line)).length
  for (const route of [...gets, ...posts]) {
    const before = says()
    const response = await (posts.includes(route) ? app.post : app.get)(`${notes}/7/${route}`)
    assert.equal(response.status, 503, route)
    assert.doesNotMatch(await response.text(), /nowhere/)
    await until(() => says() > before, `${route} says it in the log`)
  }
  assert.equal((await app.get(`${notes}/video-status-stream?id=7`)).status, 503)
  assert.deepEqual(await app.lambdaCalls(), [])
})

test('a sidecar of another protocol is a mistake of the host: 500, and the log names it', async (t) => {
  const sidecar = join(temporaryFolder(), 'sidecar')
  const machine = { states: [], events: [], transitions: [] }
  const answer = { server: { name: 'renderstate', version: '9' }, protocolVersion: 2, store: { kind: 'sqlite' }, machine }
  const source = `require('node:readline').createInterface({ input: process.stdin })
    .on('line', (line) => console.log(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(line).id, result: ${JSON.stringify(answer)} })))`
  writeFileSync(sidecar, `#!${process.execPath}\n${source}`)
  chmodSync(sidecar, 0o755)
  const app = await startApp(t, { lambda: true, env: { RENDERSTATE_BIN: sidecar } })
  assert.equal((await app.get(`${notes}/7/video-status`)).status, 500)
  assert.equal((await app.post(`${notes}/7/regenerate-video`)).status, 500)
  assert.deepEqual(await app.lambdaCalls(), [])
  await until(() => /protocolMismatch/.test(app.logs.join('\n')), 'the log says it')
})

test('requests are counted by route', async (t) => {
  const app = await startApp(t, { lambda: true })
  await app.get(`${notes}/7/video-status`)
  await app.get(`${notes}/8/video-status`)
  await app.post(`${notes}/8/cancel-video`)
  assert.deepEqual(await app.requests(), { [`GET ${notes}/[id]/video-status`]: 2, [`POST ${notes}/[id]/cancel-video`]: 1 })
})
