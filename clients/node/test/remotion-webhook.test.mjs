import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { createRemotionWebhookRoute, startRender } from 'renderstate/remotion'
import { fakeRenderer, input, report, site } from './support/renderer.mjs'
import { history, open } from './support/sidecar.mjs'

const secret = 'a secret'
const sign = (body, key = secret) => `sha512=${createHmac('sha512', key).update(body).digest('hex')}`

function post(route, body, { headers = {}, signature } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const all = { 'content-type': 'application/json', 'x-remotion-mode': 'production', 'x-remotion-signature': signature ?? sign(text), ...headers }
  for (const name of Object.keys(all)) if (all[name] === null) delete all[name]
  return route(new Request('http://host/api/webhooks/remotion', { method: 'POST', body: text, headers: all }))
}

/** A render that has begun, and the start of each of its webhooks. */
async function started(t, id = 'intro') {
  const { client } = open(t)
  const renderer = fakeRenderer()
  await startRender(client, renderer, id, input, { webhook: { url: 'https://host/', secret } })
  const { customData } = renderer.calls.start[0].webhook
  const base = { renderId: 'render1', bucketName: 'remotionlambda-x', expectedBucketOwner: '1', customData }
  return { client, base, renderer, route: createRemotionWebhookRoute({ client, secret }) }
}

const success = { type: 'success', outputUrl: 'https://cdn.example/intro.mp4', outputFile: 'https://s3.example/intro.mp4', timeToFinish: 9, lambdaErrors: [] }

async function accepted(response, applied) {
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), { applied })
}

test('a success completes the render, once, however often and late it comes', async (t) => {
  const { client, base, route } = await started(t)
  const answers = await Promise.all([1, 2, 3].map(() => post(route, { ...base, ...success })))
  assert.deepEqual((await Promise.all(answers.map((answer) => answer.json()))).filter((answer) => answer.applied).length, 1)
  const status = await client.getStatus('intro')
  assert.deepEqual([status.state, status.videoUrl, status.version], ['completed', success.outputUrl, 3])
  await accepted(await post(route, { ...base, ...success }), false)
  await accepted(await post(route, { ...base, type: 'error', errors: [] }), false)
  await client.regenerate('intro')
  await accepted(await post(route, { ...base, ...success }), false)
  assert.deepEqual((await history(client, 'intro')).map((change) => change.event), ['start', 'progress', 'complete', 'start'])
})

test('without outputUrl it is outputFile; a key in the bucket becomes a URL', async (t) => {
  const { client, base } = await started(t)
  const route = createRemotionWebhookRoute({ client, secret, site: { ...site, renderer: fakeRenderer() } })
  await accepted(await post(route, { ...base, type: 'success', outputFile: 'renders/render1/out 1.mp4' }), true)
  const { videoUrl } = await client.getStatus('intro')
  assert.equal(videoUrl, 'https://remotionlambda-x.s3.eu-central-1.amazonaws.com/renders/render1/out%201.mp4')
})

test('an error fails the render with the message of the first fatal one', async (t) => {
  const { client, base, route } = await started(t)
  const errors = [{ message: 'flaky', isFatal: false }, { message: 'no such composition', isFatal: true }, { message: 'later', isFatal: true }]
  await accepted(await post(route, { ...base, type: 'error', errors }), true)
  const status = await client.getStatus('intro')
  assert.deepEqual([status.state, status.error, status.lastEvent], ['failed', 'no such composition', 'fail'])
})

test('a webhook that is faster than the answer to the call is that of its own attempt only', async (t) => {
  const { client } = open(t)
  const route = createRemotionWebhookRoute({ client, secret })
  const send = (customData, renderId) => post(route, { renderId, bucketName: 'b', customData, ...success })
  const renderer = fakeRenderer({
    start: async ({ webhook }) => {
      await accepted(await send({ ...webhook.customData, attempt: 2 }, 'other1'), false)
      await accepted(await send({ ...webhook.customData, run: 2 }, 'other2'), false)
      await accepted(await send({ id: 'intro' }, 'other3'), false)
      await accepted(await send(webhook.customData, 'render1'), true)
    }
  })
  const result = await startRender(client, renderer, 'intro', input, { webhook: { url: 'https://host/', secret } })
  assert.deepEqual([result.outcome, result.status.state, renderer.calls.cancel.length], ['started', 'completed', 0])
})

test('after a cancel and a new run, the first one has no say', async (t) => {
  const { client, base, route } = await started(t)
  await client.transition('intro', 'cancel')
  await client.regenerate('intro')
  await accepted(await post(route, { ...base, ...success }), false)
  // Also one whose renderId the store never got to know: its attempt has the same number.
  await accepted(await post(route, { ...base, renderId: 'unknown', ...success }), false)
  const status = await client.getStatus('intro')
  assert.deepEqual([status.state, status.renderId, status.run], ['queued', null, 2])
})

test('after a timeout the renderer is asked before the render fails', async (t) => {
  const first = await started(t)
  const looked = fakeRenderer({ look: () => report({ done: true, outputFile: 'https://s3.example/late.mp4' }) })
  const route = (client, renderer) => createRemotionWebhookRoute({ client, secret, site: { ...site, renderer }, timeoutMs: 1500 })
  await accepted(await post(route(first.client, looked), { ...first.base, type: 'timeout' }), true)
  assert.equal((await first.client.getStatus('intro')).videoUrl, 'https://s3.example/late.mp4')
  await accepted(await post(route(first.client, looked), { ...first.base, type: 'timeout' }), false)
  assert.deepEqual(looked.calls.look, [{ renderId: 'render1', bucketName: 'remotionlambda-x', ...site }])

  const second = await started(t)
  const unreachable = fakeRenderer({ look: () => Promise.reject(new Error('throttled')) })
  assert.equal((await post(route(second.client, unreachable), { ...second.base, type: 'timeout' })).status, 503)
  assert.equal((await second.client.getStatus('intro')).state, 'rendering')
  await accepted(await post(route(second.client, fakeRenderer()), { ...second.base, type: 'timeout' }), true)
  const status = await second.client.getStatus('intro')
  assert.deepEqual([status.state, status.error], ['failed', 'the renderer ran out of time'])
})

test('what is not signed, forged or a demo is refused unless it is allowed, and changes nothing', async (t) => {
  const { client, base, route } = await started(t)
  const body = JSON.stringify({ ...base, ...success })
  const refused = async (status, options, to = route) => assert.equal((await post(to, body, options)).status, status)
  await refused(401, { headers: { 'x-remotion-signature': null } })
  await refused(401, { signature: 'NO_SECRET_PROVIDED' })
  await refused(401, { signature: sign(body, 'another') })
  await refused(401, { signature: sign(`${body} `) })
  await refused(401, { signature: sign(body).slice(0, -1) })
  await refused(401, { signature: '' })
  await refused(401, { signature: sign(body).replace('sha512=', 'sha256=') })
  await refused(403, { headers: { 'x-remotion-mode': 'demo' } })
  assert.throws(() => createRemotionWebhookRoute({ client, secret: '' }), { kind: 'configuration' })
  const open = createRemotionWebhookRoute({ client, secret, allowUnsigned: true, allowDemo: true })
  await refused(401, { signature: sign(body, 'another') }, open)
  assert.equal((await client.getStatus('intro')).state, 'rendering')
  await accepted(await post(open, body, { signature: 'NO_SECRET_PROVIDED', headers: { 'x-remotion-mode': 'demo' } }), true)
})

test('a body that cannot be read is 400, one too large 413, and one of no render of ours 200', async (t) => {
  const { client, base, route } = await started(t)
  const status = async (body) => (await post(route, body)).status
  for (const body of ['', '{', 'null', '[]', '"x"', '{}', { ...base, type: 'explode' }, { ...base, ...success, renderId: 7 }, { ...base, ...success, renderId: 'x'.repeat(300) }]) {
    assert.equal(await status(body), 400, JSON.stringify(body))
  }
  for (const id of ['%', 'a%0Ab', 'x'.repeat(10_000)]) assert.equal(await status({ ...base, ...success, customData: { ...base.customData, id } }), 400)
  assert.equal(await status('x'.repeat(300_000)), 413)
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) })
  assert.equal((await route(new Request('http://host/', { method: 'POST', body: endless, duplex: 'half' }))).status, 413)
  assert.equal((await route(new Request('http://host/'))).status, 405)
  for (const customData of [null, undefined, 'x', {}, { id: 5 }, { id: '__proto__', run: 1, attempt: 1 }]) {
    await accepted(await post(route, { ...base, ...success, customData }), false)
  }
  assert.equal((await client.getStatus('intro')).version, 2)
  assert.equal((await client.listStatuses()).statuses.length, 1)
})

test('while the sidecar is not to be had the webhook is asked to come again', async (t) => {
  const { client, base, route } = await started(t)
  process.kill(client.pid, 'SIGSTOP')
  const slow = createRemotionWebhookRoute({ client, secret, timeoutMs: 50 })
  const { pid } = client
  assert.equal((await post(slow, { ...base, ...success })).status, 503)
  process.kill(pid, 'SIGCONT')
  await accepted(await post(route, { ...base, ...success }), true)
  await client.close()
  assert.equal((await post(route, { ...base, ...success })).status, 503)
})
