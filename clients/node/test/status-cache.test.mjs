import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusCache } from '../dist/status-cache.js'
import { spawnHost } from './support/host.mjs'
import { numbers, open, until } from './support/sidecar.mjs'

const readsOfStore = async (client) => {
  const { methods } = await client.stats()
  return (methods.getStatus?.count ?? 0) + (methods.getStatuses?.count ?? 0)
}

test('a watched id is answered without the sidecar, and fresh asks it', async (t) => {
  const { client } = open(t)
  const watch = client.watch({ ids: ['a', 'b'] })
  await watch.next()
  await client.transition('a', 'start')
  for (let index = 0; index < 100; index += 1) assert.equal((await client.getStatus('a')).state, 'queued')
  assert.deepEqual((await client.getStatuses(['b', 'a'])).map((status) => status.version), [0, 1])
  assert.equal(await readsOfStore(client), 0)
  assert.equal((await client.getStatus('a', { fresh: true })).state, 'queued')
  assert.equal(await readsOfStore(client), 1)
  await client.getStatuses(['a', 'unwatched'])
  await client.getStatus('unwatched')
  assert.equal(await readsOfStore(client), 3)
  await watch.return()
  await client.getStatus('a')
  assert.equal(await readsOfStore(client), 4)
})

test('a caller reads its own writes, whether it waits for them or not', async (t) => {
  const { client } = open(t)
  const watch = client.watch('a')
  await watch.next()
  await client.transition('a', 'start')
  assert.equal((await client.getStatus('a')).version, 1)
  for (let version = 2; version < 200; version += 1) {
    const write = client.transition('a', 'progress', { context: { progress: version / 2 } })
    if (version % 3 === 0) await write
    assert.ok((await client.getStatus('a')).version >= version)
    assert.ok((await client.getStatuses(['a']))[0].version >= version)
  }
  const refused = await client.transition('a', 'start').catch((error) => error)
  assert.equal(refused.status.version, (await client.getStatus('a')).version)
})

test('changes of another process reach the memory as they are pushed', async (t) => {
  const { client, database } = open(t)
  const watch = client.watch('a')
  await watch.next()
  const host = spawnHost(t, 'transitions.mjs', [database, 'a'])
  await until(async () => (await client.getStatus('a')).state === 'failed')
  assert.deepEqual(await client.getStatus('a'), await client.getStatus('a', { fresh: true }))
  await host.ended
})

test('the status made from changes is the status of the store, whatever the events', async (t) => {
  const { client } = open(t)
  const next = numbers(7)
  const watch = client.watch('a')
  await watch.next()
  const keys = ['x', 'y', '__proto__', 'z']
  const contexts = {
    start: () => ({}),
    progress: () => ({ progress: next(101) }),
    complete: () => ({ videoUrl: `https://v.example/${next(9)}` }),
    fail: () => ({ error: `error ${next(9)}` }),
    cancel: () => ({})
  }
  const events = Object.keys(contexts)
  let accepted = 0
  for (let round = 0; round < 400; round += 1) {
    const event = events[next(5)]
    const values = Object.fromEntries([[keys[next(4)], next(3) === 0 ? null : { deep: [next(9), null] }]])
    const context = { ...contexts[event](), ...(next(2) === 0 && { metadata: values }) }
    const call = next(12) === 0 ? client.regenerate('a') : client.transition('a', event, { context })
    const result = await call.catch(() => null)
    if (!result) continue
    accepted += 1
    const { value } = await watch.next()
    assert.equal(value.change.version, accepted)
    assert.deepEqual(value.status, result.status)
  }
  assert.ok(accepted > 100)
  assert.deepEqual(await client.getStatus('a'), await client.getStatus('a', { fresh: true }))
})

test('the merged status of a change that was only pushed equals that of the store', async (t) => {
  const { client, database } = open(t)
  const watch = client.watch('a')
  await watch.next()
  const host = spawnHost(t, 'random-events.mjs', [database, 'a', '300'])
  const expected = JSON.parse(await host.line(0))
  for (;;) {
    const { value } = await watch.next()
    if (value.seq === expected.seq) {
      assert.deepEqual(value.status, expected)
      break
    }
  }
  assert.deepEqual(await client.getStatus('a'), expected)
  assert.equal(await readsOfStore(client), 0)
})

test('while the sidecar is away nothing is answered from memory', async (t) => {
  let answer
  const { client } = open(t, { logger: (line) => /SIGKILL/.test(line) && (answer = client.getStatus('a')) })
  const watch = client.watch('a')
  await watch.next()
  await client.transition('a', 'start')
  process.kill(client.pid, 'SIGKILL')
  assert.equal((await (await until(() => answer && [answer]))[0]).state, 'queued')
  assert.equal(await readsOfStore(client), 1)
})

test('a status that is handed out is frozen where it is shared', async (t) => {
  const { client } = open(t)
  const watch = client.watch('a')
  await watch.next()
  await client.transition('a', 'start', { context: { metadata: { deep: { list: [1] } } } })
  const status = await client.getStatus('a')
  assert.throws(() => (status.progress = 50), TypeError)
  assert.throws(() => status.metadata.deep.list.push(2), TypeError)
})

const status = (version, seq, metadata = {}) => ({
  id: 'a', state: 'rendering', progress: 0, renderId: null, bucketName: null, videoUrl: null, error: null, metadata, run: 1,
  attempt: 1, version, lastEvent: 'progress', processingStatus: 'generating_video', seq, createdAt: 't0', updatedAt: 't1'
})
const change = (version, seq, metadata = null, actor = null) => ({
  seq, id: 'a', event: 'progress', previousState: 'rendering', state: 'rendering', progress: version, renderId: null, bucketName: null,
  videoUrl: null, error: null, metadata, run: 1, attempt: 1, version, actor, at: `t${seq}`
})

test('a change that does not follow on what is known makes the status be read again, and not be answered meanwhile', () => {
  const rereads = []
  const cache = new StatusCache((id) => rereads.push(id))
  cache.cover(['a'])
  cache.setLive(['a'], true)
  assert.equal(cache.get('a'), null)
  cache.put(status(1, 10, { x: 1 }))
  cache.apply(change(2, 11, { y: 2 }))
  assert.deepEqual(cache.get('a').metadata, { x: 1, y: 2 })
  // Versions 3 and 4 were folded into 5.
  cache.apply(change(5, 20))
  assert.deepEqual(rereads, ['a'])
  assert.equal(cache.get('a'), null)
  assert.equal(cache.known('a'), null)
  // Even the next one in order cannot be merged, and an answer that is too old does not help.
  cache.apply(change(6, 21))
  cache.put(status(5, 20))
  assert.equal(cache.get('a'), null)
  cache.put(status(6, 21))
  assert.equal(cache.get('a').version, 6)
  // A change by SQL does not tell its metadata.
  cache.apply(change(7, 22, null, 'sql'))
  assert.equal(cache.get('a'), null)
})

test('what is older never replaces what is newer, and an id that nobody wants is forgotten', () => {
  const cache = new StatusCache(() => assert.fail('nothing is to be read again'))
  cache.cover(['a'])
  cache.cover(['a'])
  cache.setLive(['a'], true)
  cache.put(status(3, 30))
  cache.put(status(2, 20))
  cache.apply(change(2, 20))
  assert.equal(cache.get('a').version, 3)
  assert.equal(cache.atLeast('a', 31), null)
  cache.mutationBegan('a')
  cache.mutationBegan('a')
  cache.mutationEnded('a')
  assert.equal(cache.get('a'), null)
  cache.mutationEnded('a')
  assert.equal(cache.get('a').version, 3)
  cache.uncover(['a'])
  assert.equal(cache.get('a').version, 3)
  cache.replace(status(1, 5))
  assert.equal(cache.get('a').version, 1)
  cache.uncover(['a'])
  assert.equal(cache.get('a'), null)
  cache.put(status(9, 90))
  assert.equal(cache.known('a'), null)
})
