import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRender } from 'renderstate/remotion'
import { fakeRenderer, input } from './support/renderer.mjs'
import { history, killSidecar, open, openBeside } from './support/sidecar.mjs'

const webhook = { url: 'https://studio.example/api/webhooks/remotion', secret: 'secret' }

test('the claim comes first, then the call with what the webhook needs, then its renderId', async (t) => {
  const { client } = open(t)
  const renderer = fakeRenderer({ start: async () => assert.equal((await client.getStatus('intro')).state, 'queued') })
  const result = await startRender(client, renderer, 'intro', input, { webhook, metadata: { by: 'click' }, actor: 'web' })
  assert.equal(result.outcome, 'started')
  assert.deepEqual(result.render, { renderId: 'render1', bucketName: 'remotionlambda-x' })
  const { state, renderId, bucketName, metadata } = result.status
  assert.deepEqual([state, renderId, bucketName, metadata], ['rendering', 'render1', 'remotionlambda-x', { by: 'click' }])
  const customData = { id: 'intro', run: 1, attempt: 1 }
  assert.deepEqual(renderer.calls.start, [{ ...input, webhook: { ...webhook, customData } }])
  assert.deepEqual((await history(client, 'intro')).map((change) => [change.event, change.actor]), [['start', 'web'], ['progress', 'web']])
})

test('of twenty clicks of two sidecars one pays', async (t) => {
  const { client, database } = open(t)
  const other = openBeside(t, database)
  const renderer = fakeRenderer()
  const clicks = Array.from({ length: 20 }, (_, index) => startRender(index % 2 ? client : other, renderer, 'intro', input))
  const outcomes = (await Promise.all(clicks)).map((result) => result.outcome)
  assert.equal(outcomes.filter((outcome) => outcome === 'started').length, 1)
  assert.equal(outcomes.filter((outcome) => outcome === 'refused').length, 19)
  assert.equal(renderer.calls.start.length, 1)
})

test('a call that fails is the end of the attempt, and the next one may try again', async (t) => {
  const { client } = open(t)
  const error = new Error('AWS says no')
  const refusing = fakeRenderer({ start: () => Promise.reject(error) })
  const failed = await startRender(client, refusing, 'intro', input)
  assert.deepEqual([failed.outcome, failed.error, failed.status.state, failed.status.error], ['failed', error, 'failed', 'AWS says no'])
  const again = await startRender(client, fakeRenderer(), 'intro', input)
  assert.deepEqual([again.outcome, again.status.attempt], ['started', 2])
})

test('a completed render is made anew only where that is asked for', async (t) => {
  const { client } = open(t)
  const renderer = fakeRenderer()
  await startRender(client, renderer, 'intro', input)
  await client.transition('intro', 'complete', { context: { renderId: 'render1' } })
  const refused = await startRender(client, renderer, 'intro', input)
  assert.deepEqual([refused.outcome, refused.status.state], ['refused', 'completed'])
  assert.equal(renderer.calls.start.length, 1)
  const results = await Promise.all([1, 2].map(() => startRender(client, renderer, 'intro', input, { claim: 'either' })))
  assert.deepEqual(results.map((result) => result.outcome).sort(), ['refused', 'started'])
  assert.equal(results[0].status.run, 2)
  await client.transition('intro', 'complete', { context: { renderId: 'render2' } })
  const regenerated = await startRender(client, renderer, 'intro', input, { claim: 'regenerate', webhook })
  assert.deepEqual([regenerated.outcome, regenerated.status.run], ['started', 3])
  assert.deepEqual(renderer.calls.start[2].webhook.customData, { id: 'intro', run: 3, attempt: 1 })
})

test('a render that was cancelled while the renderer was called is cancelled there, too', async (t) => {
  const { client } = open(t)
  const renderer = fakeRenderer({
    start: () => client.transition('intro', 'cancel').then(() => null),
    cancel: () => Promise.reject(new Error('not enabled'))
  })
  const result = await startRender(client, renderer, 'intro', input)
  assert.deepEqual([result.outcome, result.status.lastEvent], ['superseded', 'cancel'])
  const { region } = input
  assert.deepEqual(renderer.calls.cancel, [{ renderId: 'render1', bucketName: 'remotionlambda-x', region }])
})

test('an answer that comes after a new run began does not become its own', async (t) => {
  const { client } = open(t)
  const renderer = fakeRenderer({
    start: async () => {
      await client.transition('intro', 'cancel')
      await client.regenerate('intro')
    }
  })
  // Run 1, attempt 1 when it was called; run 2, attempt 1 now.
  const result = await startRender(client, renderer, 'intro', input)
  assert.deepEqual([result.outcome, result.status.run, result.status.attempt], ['superseded', 2, 1])
  assert.deepEqual([result.status.state, result.status.renderId], ['queued', null])
  const failing = fakeRenderer({
    start: async () => {
      await client.transition('intro', 'cancel')
      await client.regenerate('intro')
      throw new Error('too late')
    }
  })
  await client.transition('intro', 'cancel')
  const failed = await startRender(client, failing, 'intro', input)
  assert.deepEqual([failed.outcome, failed.status.state, failed.status.run], ['failed', 'queued', 3])
})

test('a sidecar that dies while the renderer is called costs nothing', async (t) => {
  const { client } = open(t)
  const renderer = fakeRenderer({ start: () => killSidecar(client).then(() => null) })
  const result = await startRender(client, renderer, 'intro', input)
  assert.equal(result.outcome, 'started')
  assert.equal(renderer.calls.start.length, 1)
  assert.equal((await history(client, 'intro')).length, 2)
})

test('any id fits into customData as ASCII; one that is none is refused before anything is paid', async (t) => {
  const { client } = open(t)
  const renderer = fakeRenderer()
  const id = `ö/😀 __proto__ ${'漢'.repeat(59)}`
  await startRender(client, renderer, id, input, { webhook })
  const { customData } = renderer.calls.start[0].webhook
  assert.match(JSON.stringify(customData), /^[\x20-\x7e]{1,1000}$/)
  assert.equal(decodeURIComponent(customData.id), id)
  await assert.rejects(startRender(client, renderer, 'a\nb', input, { webhook }), { kind: 'invalidParams' })
  await assert.rejects(startRender(client, renderer, 'x'.repeat(10_000), input, { webhook }), { kind: 'invalidParams' })
  assert.equal(renderer.calls.start.length, 1)
})
