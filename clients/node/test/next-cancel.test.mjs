import assert from 'node:assert/strict'
import { test } from 'node:test'
import { body, post, routes } from './support/routes.mjs'
import { history, open } from './support/sidecar.mjs'

test('a render that is queued or rendering is cancelled, and the renderer is stopped by what the store knows of it', async (t) => {
  const { client } = open(t)
  const seen = []
  const onCancel = async (status, request) => {
    const { state, lastEvent } = await client.getStatus(status.id, { fresh: true })
    seen.push([request instanceof Request, state, lastEvent, status.renderId, status.bucketName])
  }
  const { cancel } = routes(client, { onCancel, actor: 'POST cancel' })
  await client.transition('a', 'start')
  assert.deepEqual(await body(await post(cancel), 200), { status: 'failed', progress: 0, error: 'Render cancelled' })
  await client.transition('a', 'start')
  await client.transition('a', 'progress', { context: { progress: 30, renderId: 'r', bucketName: 'b' } })
  assert.deepEqual(await body(await post(cancel), 200), { status: 'failed', progress: 30, error: 'Render cancelled' })
  assert.deepEqual(seen, [[true, 'failed', 'cancel', null, null], [true, 'failed', 'cancel', 'r', 'b']])
  assert.deepEqual((await history(client, 'a')).filter(({ event }) => event === 'cancel').map(({ actor }) => actor), ['POST cancel', 'POST cancel'])
})

test('where there is nothing to cancel it is 409 with the status, and nothing is changed or stopped', async (t) => {
  const { client } = open(t)
  const { cancel, cancelled } = routes(client)
  assert.deepEqual(await body(await post(cancel), 409), { status: 'idle', progress: 0 })
  assert.deepEqual((await client.listStatuses()).statuses, [])
  await client.transition('a', 'start')
  await client.transition('a', 'progress')
  await client.transition('a', 'complete', { context: { videoUrl: 'https://v.example/a' } })
  const done = { status: 'completed', progress: 100, videoUrl: 'https://v.example/a' }
  assert.deepEqual(await body(await post(cancel), 409), done)
  assert.equal((await client.getStatus('a')).version, 3)
  await client.regenerate('a')
  await client.transition('a', 'fail', { context: { error: 'no disk' } })
  assert.deepEqual(await body(await post(cancel), 409), { status: 'failed', progress: 0, error: 'no disk' })
  assert.deepEqual(cancelled, [])
})

test('of many clicks at once one cancels', async (t) => {
  const { client } = open(t)
  const { cancel, cancelled } = routes(client)
  await client.transition('a', 'start')
  const responses = await Promise.all(Array.from({ length: 20 }, () => post(cancel)))
  assert.deepEqual(responses.map(({ status }) => status).sort(), [200, ...Array(19).fill(409)])
  for (const response of responses) assert.equal((await response.json()).error, 'Render cancelled')
  assert.equal(cancelled.length, 1)
})

test('a renderer that cannot be stopped does not undo the cancel', async (t) => {
  const { client } = open(t)
  const errors = []
  const broken = new Error('the renderer is away')
  for (const [id, onCancel] of Object.entries({
    rejects: () => Promise.reject(broken),
    throws: () => {
      throw broken
    }
  })) {
    await client.transition(id, 'start')
    const { cancel } = routes(client, { onCancel, onError: (error) => errors.push(error) })
    assert.equal((await body(await post(cancel, id), 200)).status, 'failed')
    assert.equal((await client.getStatus(id)).lastEvent, 'cancel')
  }
  assert.deepEqual(errors, [broken, broken])
  await client.transition('none', 'start')
  assert.equal((await post(routes(client, { onCancel: undefined }).cancel, 'none')).status, 200)
})

test('an answer that comes when the next attempt is on does not stop that one', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  // As after the death of a sidecar: the cancel is answered as replayed, with the render as it is by then.
  const late = Object.create(client, {
    transition: {
      async value(...given) {
        const result = await client.transition(...given)
        const { status } = await client.transition('a', 'start')
        return { ...result, status, replayed: true }
      }
    }
  })
  const { cancel, cancelled } = routes(late)
  assert.deepEqual(await body(await post(cancel), 409), { status: 'queued', progress: 0 })
  assert.deepEqual(cancelled, [])
})
