import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRemotionWebhookRoute, signWebhook } from 'renderstate/remotion'
import { body, get, getMany, post, routes } from './support/routes.mjs'
import { open } from './support/sidecar.mjs'
import { sseReader } from './support/sse.mjs'

const secret = 'a secret'
const idle = { status: 'idle', progress: 0 }
const queued = { status: 'queued', progress: 0 }
const noSuchId = { error: 'there can be no render of this id' }

/** What is in the store: each render with its version. */
async function stored(client) {
  const all = {}
  for await (const { id, state, version } of client.allStatuses()) all[`id ${id}`] = `${state} ${version}`
  return all
}

/** What a stream says first, as data. */
async function firstData(response) {
  assert.equal(response.status, 200)
  const reader = sseReader(response)
  const [event] = await reader.events(() => true)
  await reader.cancel()
  return event.data
}

// As a browser may write them, and as they are when a proxy has decoded them once.
const oddIds = ['a/b', 'a%2Fb', 'a%252Fb', '../a', 'a/b/../c', '.', '\\', '__proto__', 'constructor', 'toString', '🎬', 'é', 'e\u0301', ' ', 'a b', "'; drop", 'x'.repeat(200)]
const impossibleIds = {
  empty: '',
  'a line break': 'a\r\nb',
  'a field of an event stream': 'a\nid: 7',
  NUL: 'nul\0',
  DEL: 'a\x7f',
  'one byte too long': 'x'.repeat(201),
  '10 KB': 'x'.repeat(10_240),
  '10 KB of emoji': '🎬'.repeat(2560),
  'longer than a line of the protocol': 'x'.repeat(2 ** 21),
  'half a character': '\ud800'
}

test('an odd id is a render of its own on every route, and asking for it stores nothing', async (t) => {
  const { client } = open(t)
  const { status, stream, many, history, regenerate, cancel, started, cancelled } = routes(client)
  for (const id of oddIds) {
    assert.deepEqual(await body(await get(status, id), 200), idle, id)
    assert.deepEqual(await firstData(await get(stream, id)), idle, id)
    assert.deepEqual(await firstData(await getMany(many, [id])), { id, ...idle }, id)
    assert.deepEqual(await body(await get(history, id), 200), { changes: [], nextAfterSeq: null }, id)
    assert.deepEqual(await body(await post(cancel, id), 409), idle, id)
  }
  assert.deepEqual(await stored(client), {})
  for (const [index, id] of oddIds.entries()) {
    assert.deepEqual(await body(await post(regenerate, id), 202), queued, id)
    assert.equal(started.at(-1).id, id)
    assert.deepEqual(await body(await get(status, id), 200), queued, id)
    assert.deepEqual(await firstData(await get(stream, id)), queued, id)
    assert.deepEqual(await firstData(await getMany(many, [id])), { id, ...queued }, id)
    assert.deepEqual((await body(await get(history, id), 200)).changes.map(({ seq }) => seq), [index + 1], id)
    assert.equal(Object.keys(await stored(client)).length, index + 1, id)
  }
  for (const id of oddIds) {
    assert.equal((await body(await post(cancel, id), 200)).status, 'failed', id)
    assert.equal(cancelled.at(-1).id, id)
  }
  assert.deepEqual(await stored(client), Object.fromEntries(oddIds.map((id) => [`id ${id}`, 'failed 2'])))
  assert.equal((await client.stats()).subscriptions, 0)
})

test('an id that no render can have is 400 on every route, and leaves nothing', async (t) => {
  const { client } = open(t)
  const { status, stream, many, history, regenerate, cancel, started, cancelled } = routes(client)
  for (const [what, id] of Object.entries(impossibleIds)) {
    const answers = [await get(status, id), await get(stream, id), await get(history, id), await post(regenerate, id), await post(cancel, id)]
    // A URL has no halves of characters.
    if (what !== 'half a character') answers.push(await getMany(many, [id]), await getMany(many, ['a', id]))
    for (const response of answers) assert.deepEqual(await body(response, 400), noSuchId, what)
  }
  // Of a folder of another name, or one that takes several parts.
  for (const id of [null, ['a'], ['a', 'b'], 7]) {
    const answers = [await get(status, id), await get(stream, id), await get(history, id), await post(regenerate, id), await post(cancel, id)]
    for (const response of answers) assert.deepEqual(await body(response, 400), noSuchId)
  }
  assert.deepEqual([started, cancelled], [[], []])
  assert.deepEqual(await stored(client), {})
  assert.equal((await client.stats()).subscriptions, 0)
})

test('a Last-Event-ID that is no number, or from the future, is none on both streams', async (t) => {
  const { client } = open(t)
  const { stream, many } = routes(client)
  await client.transition('other', 'start')
  await client.transition('a', 'start')
  for (const lastEventId of ['', '0', 'x', '-1', '1.0', '1e0', '0x1', '1, 1', '3', '999', '9'.repeat(16), '9'.repeat(400), 'x'.repeat(10_240), '__proto__', 'a:1']) {
    const init = { headers: { 'Last-Event-ID': lastEventId } }
    assert.deepEqual(await firstData(await get(stream, 'a', init)), queued, lastEventId)
    assert.deepEqual(await firstData(await getMany(many, ['a'], init)), { id: 'a', ...queued }, lastEventId)
  }
  // A true one of another render says what was told, and does not widen what is seen.
  const viewer = sseReader(await get(stream, 'a', { headers: { 'Last-Event-ID': '1' } }))
  assert.deepEqual(await viewer.events(() => true), [{ id: '2', event: 'status', data: queued }])
  await viewer.cancel()
  assert.deepEqual(await stored(client), { 'id a': 'queued 1', 'id other': 'queued 1' })
  assert.equal((await client.stats()).subscriptions, 0)
})

test('a webhook that is forged, cut off, replayed or of another render changes nothing', async (t) => {
  const { client } = open(t)
  const route = createRemotionWebhookRoute({ client, secret })
  for (const [id, renderId] of [['a', 'render a'], ['b', 'render b']]) {
    await client.transition(id, 'start')
    await client.transition(id, 'progress', { context: { renderId, bucketName: 'bucket' } })
  }
  const success = (id, parts = {}) => ({ type: 'success', renderId: 'render a', bucketName: 'bucket', outputUrl: 'https://v.example/a', customData: { id, run: 1, attempt: 1 }, ...parts })
  const send = async (text, signature = signWebhook(text, secret)) => {
    const headers = signature === null ? {} : { 'X-Remotion-Signature': signature }
    const response = await route(new Request('http://studio.example/', { method: 'POST', body: text, headers }))
    return [response.status, await response.json()]
  }
  const right = JSON.stringify(success('a'))
  const wrong = [401, { error: 'the signature is missing or wrong' }]
  const ignored = [200, { applied: false }]
  const refused = [400, { error: 'the store refuses these values' }]
  const before = { 'id b': 'rendering 2', 'id a': 'rendering 2' }
  for (const [what, answer, expected] of [
    ['no signature', await send(right, null), wrong],
    ['that of another secret', await send(right, signWebhook(right, 'another')), wrong],
    ['half a signature', await send(right, signWebhook(right, secret).slice(0, 70)), wrong],
    ['that of another body', await send(JSON.stringify(success('b')), signWebhook(right, secret)), wrong],
    ['half a body', await send(right.slice(0, -20), signWebhook(right, secret)), wrong],
    ['half a body, signed', await send(right.slice(0, -20)), [400, { error: 'the body is not JSON' }]],
    ['of another active render', await send(JSON.stringify(success('b'))), ignored],
    ['of a render that never began', await send(JSON.stringify(success('never'))), ignored],
    ['of an attempt that is still to come', await send(JSON.stringify(success('a', { customData: { id: 'a', run: 1, attempt: 2 } }))), ignored],
    ['without customData', await send(JSON.stringify(success('a', { customData: null }))), ignored],
    ['of __proto__', await send(JSON.stringify(success('__proto__'))), ignored],
    ['of a slash, encoded twice', await send(JSON.stringify(success('a%252Fb'))), ignored],
    ['of a line break', await send(JSON.stringify(success('a%0D%0Ab'))), refused],
    ['of 10 KB', await send(JSON.stringify(success('x'.repeat(10_240)))), refused],
    ['of half a character', await send(JSON.stringify(success('\ud800'))), refused],
    ['of half an escape', await send(JSON.stringify(success('%F0%9F'))), [400, { error: 'the id in customData is not encoded as startRender does' }]],
    ['a URL with half a character', await send(JSON.stringify(success('a', { outputUrl: 'https://v.example/\ud800' }))), refused],
    ['a URL with a line break', await send(JSON.stringify(success('a', { outputUrl: 'https://v.example/\n' }))), refused]
  ]) {
    assert.deepEqual(answer, expected, what)
    assert.deepEqual(await stored(client), before, what)
  }
  assert.deepEqual(await send(right), [200, { applied: true }])
  const after = { 'id a': 'completed 3', 'id b': 'rendering 2' }
  assert.deepEqual(await stored(client), after)
  assert.deepEqual(await send(right), ignored, 'replayed')
  assert.deepEqual(await stored(client), after)
  await client.regenerate('a')
  assert.deepEqual(await send(right), ignored, 'replayed into the next run')
  assert.deepEqual(await stored(client), { 'id a': 'queued 4', 'id b': 'rendering 2' })
})
