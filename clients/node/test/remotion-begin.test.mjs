import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginRender, createRemotionWebhookRoute, RenderPoller, signWebhook, stopRender } from 'renderstate/remotion'
import { fakeRenderer, input, report, site } from './support/renderer.mjs'
import { body, post, routes } from './support/routes.mjs'
import { history, open } from './support/sidecar.mjs'

const webhook = { url: 'https://studio.example/api/webhooks/remotion', secret: 'secret' }

/** The regenerate and cancel routes with this renderer, as the README has them. `errors` fills with what onError gets. */
function studio(t, renderer) {
  const { client } = open(t)
  const errors = []
  const made = routes(client, {
    onStart: (status) => beginRender(client, renderer, status, input, { webhook, actor: 'web' }),
    onCancel: (status) => stopRender(renderer, status, input),
    onError: (error) => errors.push(error)
  })
  return { client, errors, ...made }
}

test('a regenerate route begins a render that another part has claimed, and answers what became of it', async (t) => {
  const renderer = fakeRenderer()
  const { client, regenerate } = studio(t, renderer)
  assert.deepEqual(await body(await post(regenerate), 202), { status: 'rendering', progress: 0 })
  assert.deepEqual(renderer.calls.start, [{ ...input, webhook: { ...webhook, customData: { id: 'a', run: 1, attempt: 1 } } }])
  const { renderId, bucketName } = await client.getStatus('a')
  assert.deepEqual([renderId, bucketName], ['render1', 'remotionlambda-x'])
  assert.deepEqual((await history(client, 'a')).map(({ event, actor }) => [event, actor]), [['start', null], ['progress', 'web']])
  assert.deepEqual(await body(await post(regenerate), 409), { status: 'rendering', progress: 0 })
  await client.transition('a', 'complete', { context: { renderId } })
  const clicks = await Promise.all(Array.from({ length: 10 }, () => post(regenerate)))
  assert.deepEqual(clicks.map(({ status }) => status).sort(), [202, ...Array(9).fill(409)])
  assert.deepEqual(renderer.calls.start.map((call) => call.webhook.customData.run), [1, 2])
})

test('a renderer that refuses is 502 with its words, and the next click tries again', async (t) => {
  let isAway = true
  const renderer = fakeRenderer({ start: () => (isAway ? Promise.reject(new Error('AWS says no \ud800')) : null) })
  const { client, regenerate, errors } = studio(t, renderer)
  assert.deepEqual(await body(await post(regenerate), 502), { status: 'failed', progress: 0, error: 'AWS says no \ufffd' })
  assert.deepEqual(errors.map(({ message }) => message), ['AWS says no \ufffd'])
  assert.deepEqual((await history(client, 'a')).map(({ event }) => event), ['start', 'fail'])
  isAway = false
  assert.equal((await body(await post(regenerate), 202)).status, 'rendering')
})

test('a render that is cancelled or started anew while it is begun is 409, and its renderer is stopped', async (t) => {
  const renderer = fakeRenderer({ start: () => meanwhile() })
  const { client, regenerate, cancel, errors } = studio(t, renderer)
  let meanwhile = async () => assert.equal((await post(cancel)).status, 200)
  assert.deepEqual(await body(await post(regenerate), 409), { status: 'failed', progress: 0, error: 'Render cancelled' })
  meanwhile = async () => {
    await client.transition('a', 'cancel')
    await client.transition('a', 'start')
  }
  assert.deepEqual(await body(await post(regenerate), 409), { status: 'queued', progress: 0 })
  const { region } = input
  // The cancel route knew of no renderId yet.
  assert.deepEqual(renderer.calls.cancel, ['render1', 'render2'].map((renderId) => ({ renderId, bucketName: 'remotionlambda-x', region })))
  assert.deepEqual(errors, [])
})

test('a webhook that is faster than the answer of the renderer is no failure', async (t) => {
  const renderer = fakeRenderer({
    start: async ({ webhook: { customData } }) => {
      const text = JSON.stringify({ type: 'success', renderId: 'render1', bucketName: 'remotionlambda-x', customData, outputUrl: 'https://v.example/a' })
      const headers = { 'X-Remotion-Signature': signWebhook(text, webhook.secret) }
      assert.equal((await receive(new Request('http://host/', { method: 'POST', body: text, headers }))).status, 200)
    }
  })
  const { client, regenerate } = studio(t, renderer)
  const receive = createRemotionWebhookRoute({ client, secret: webhook.secret })
  assert.deepEqual(await body(await post(regenerate), 202), { status: 'completed', progress: 100, videoUrl: 'https://v.example/a' })
})

test('a cancel route stops the renderer; one that cannot be stopped, or has not begun, is cancelled all the same', async (t) => {
  const renderer = fakeRenderer({ cancel: () => Promise.reject(new Error('not enabled')) })
  const { client, regenerate, cancel, errors } = studio(t, renderer)
  await post(regenerate)
  assert.equal((await body(await post(cancel), 200)).status, 'failed')
  assert.deepEqual(renderer.calls.cancel, [{ renderId: 'render1', bucketName: 'remotionlambda-x', region: input.region }])
  assert.deepEqual(errors.map(({ message }) => message), ['not enabled'])
  await client.transition('queued', 'start')
  assert.equal((await post(cancel, 'queued')).status, 200)
  assert.equal(renderer.calls.cancel.length, 1)
  const { cancelRenderOnLambda: _, ...without } = renderer
  await stopRender(without, { renderId: 'r', bucketName: 'b' }, input)
})

test('what was not claimed, or is begun already, is not begun', async (t) => {
  const { client } = open(t)
  const renderer = fakeRenderer()
  await assert.rejects(beginRender(client, renderer, await client.getStatus('a'), input), { kind: 'configuration' })
  const { status } = await client.transition('a', 'start')
  const begun = await beginRender(client, renderer, status, input)
  assert.equal(begun.outcome, 'started')
  await assert.rejects(beginRender(client, renderer, begun.status, input), { kind: 'configuration' })
  await client.transition('a', 'cancel')
  await assert.rejects(beginRender(client, renderer, await client.getStatus('a'), input), { kind: 'configuration' })
  assert.equal(renderer.calls.start.length, 1)
})

test('a renderer that names no render has failed', async (t) => {
  const answers = [undefined, {}, { renderId: 'r' }, { renderId: '', bucketName: 'b' }, { renderId: 'a\nb', bucketName: 'b' }]
  for (const answer of [...answers, { renderId: '\ud800', bucketName: 'b' }, { renderId: 'x'.repeat(201), bucketName: 'b' }]) {
    const { client, regenerate } = studio(t, { ...fakeRenderer(), renderMediaOnLambda: async () => answer })
    assert.match((await body(await post(regenerate), 502)).error, /without a renderId/)
    assert.deepEqual((await history(client, 'a')).map(({ event }) => event), ['start', 'fail'])
  }
})

test('halves of characters in what a renderer reports do not keep its failure from the store', async (t) => {
  const errors = [{ message: `\ud800${'x'.repeat(2 ** 21)}`, isFatal: true }]
  const renderer = fakeRenderer({ look: () => report({ fatalErrorEncountered: true, errors }) })
  const { client, regenerate } = studio(t, renderer)
  await post(regenerate)
  const poller = new RenderPoller({ client, renderer, ...site, intervalMs: 3 })
  t.after(() => poller.stop())
  const { state, error } = await poller.poll('a')
  assert.equal(state, 'failed')
  assert.match(error, /^\ufffdx+/)
})
