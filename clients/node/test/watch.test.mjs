import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RenderStateClient } from 'renderstate'
import { spawnHost } from './support/host.mjs'
import { killSidecar, open, readUntil } from './support/sidecar.mjs'

const seqs = (events) => events.filter((event) => event.type === 'change').map((event) => event.seq)
const subscriptions = async (client) => (await client.stats()).subscriptions

test('a watch yields the snapshot first, then every change with the status after it', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const watch = client.watch('a')
  const first = (await watch.next()).value
  assert.equal(first.type, 'snapshot')
  assert.equal(first.statuses[0].state, 'queued')
  assert.equal(first.gap, false)
  await client.transition('a', 'progress', { context: { progress: 10 } })
  const second = (await watch.next()).value
  assert.equal(second.change.event, 'progress')
  assert.equal(second.status.progress, 10)
  assert.equal(second.seq, 2)
  assert.equal(second.skipped, 0)
})

test('many watches of one render are one subscription, and none when the last has left', async (t) => {
  const { client } = open(t)
  const watches = Array.from({ length: 200 }, () => client.watch('a'))
  await Promise.all(watches.map((watch) => watch.next()))
  assert.equal(await subscriptions(client), 1)
  await client.transition('a', 'start')
  const changes = await Promise.all(watches.map((watch) => watch.next()))
  assert.ok(changes.every(({ value }) => value.change.event === 'start'))
  await Promise.all(watches.slice(1).map((watch) => watch.return()))
  assert.equal(await subscriptions(client), 1)
  await watches[0].return()
  assert.equal(await subscriptions(client), 0)
})

test('a watch that joins later begins with what the caller knows already, and does not hear it again', async (t) => {
  const { client } = open(t)
  const early = client.watch('a')
  await early.next()
  await client.transition('a', 'start')
  // The answer is here, and the push perhaps not yet.
  const late = client.watch('a')
  assert.equal((await late.next()).value.statuses[0].version, 1)
  await client.transition('a', 'progress')
  assert.equal((await late.next()).value.change.version, 2)
  assert.deepEqual(seqs(await readUntil(early, (event) => event.seq === 2)), [1, 2])
})

test('with afterSeq a watch goes on where another has stopped, and shares its subscription when it has caught up', async (t) => {
  const { client } = open(t)
  const live = client.watch('a')
  await live.next()
  await client.transition('a', 'start')
  await client.transition('b', 'start')
  for (let index = 0; index < 5; index += 1) await client.transition('a', 'progress')
  const resumed = client.watch('a', { afterSeq: 3 })
  const [snapshot, ...changes] = await readUntil(resumed, (event) => event.seq === 7)
  assert.equal(snapshot.seq, 3)
  assert.equal(snapshot.statuses[0].version, 6)
  assert.deepEqual(seqs(changes), [4, 5, 6, 7])
  assert.ok(changes.every((event) => event.status.version === 6), 'the status is never older than the snapshot')
  await readUntil(live, (event) => event.seq === 7)
  assert.equal(await subscriptions(client), 1)
  await client.transition('a', 'progress')
  assert.equal((await resumed.next()).value.seq, 8)
  assert.equal((await live.next()).value.seq, 8)
  // Nothing to catch up with, and no one to share with.
  await resumed.return()
  await live.return()
  const alone = client.watch('a', { afterSeq: 8 })
  assert.equal((await alone.next()).value.seq, 8)
  const joined = client.watch('a')
  await joined.next()
  assert.equal(await subscriptions(client), 1)
})

test('an afterSeq from the future is a gap: the snapshot is the truth', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const watch = client.watch('a', { afterSeq: 999 })
  const { value } = await watch.next()
  assert.equal(value.gap, true)
  assert.equal(value.seq, 1)
  await client.transition('a', 'progress')
  assert.equal((await watch.next()).value.seq, 2)
})

test('a watch of all renders hears of all, with their statuses; states filter', async (t) => {
  const { client } = open(t)
  const all = client.watch({})
  const failed = client.watch({ states: ['failed'] })
  const someFailed = client.watch({ ids: ['b', 'c', 'b'], states: ['failed'] })
  assert.deepEqual((await all.next()).value.statuses, [])
  await failed.next()
  assert.deepEqual((await someFailed.next()).value.statuses.map((status) => status.id), ['b', 'c'])
  for (const id of ['a', 'b', 'c']) await client.transition(id, 'start', { context: { metadata: { of: id } } })
  await client.transition('b', 'progress', { context: { metadata: { more: 1 } } })
  await client.transition('a', 'cancel')
  await client.transition('b', 'cancel')
  const events = await readUntil(all, (event) => event.seq === 6)
  assert.deepEqual(seqs(events), [1, 2, 3, 4, 5, 6])
  assert.deepEqual(events[5].status.metadata, { of: 'b', more: 1 })
  assert.equal((await failed.next()).value.change.id, 'a')
  assert.equal((await failed.next()).value.change.id, 'b')
  const one = (await someFailed.next()).value
  assert.equal(one.change.id, 'b')
  assert.deepEqual(one.status, await client.getStatus('b', { fresh: true }))
})

test('a reader that is slow misses nothing, and does not hold up the others', async (t) => {
  const { client } = open(t)
  const slow = client.watch('a')
  const slowAll = client.watch({})
  await slow.next()
  await slowAll.next()
  await client.transition('a', 'start')
  const count = 4000
  await Promise.all(Array.from({ length: count }, () => client.transition('a', 'progress')))
  const expected = Array.from({ length: count + 1 }, (_, index) => index + 1)
  const events = await readUntil(slow, (event) => event.seq === count + 1)
  assert.deepEqual(seqs(events), expected)
  assert.equal(events.filter((event) => event.type === 'snapshot').length, 0)
  assert.deepEqual(seqs(await readUntil(slowAll, (event) => event.seq === count + 1)), expected)
  await client.transition('a', 'fail')
  assert.equal((await slow.next()).value.change.event, 'fail')
  assert.equal((await slowAll.next()).value.change.event, 'fail')
})

test('return ends a watch whose next waits, and so does a signal, with its reason', async (t) => {
  const { client } = open(t)
  const watch = client.watch('a')
  await watch.next()
  const next = watch.next()
  await watch.return()
  assert.deepEqual(await next, { value: undefined, done: true })
  assert.deepEqual(await watch.next(), { value: undefined, done: true })

  const controller = new AbortController()
  const reason = new Error('the viewer has gone')
  const signalled = client.watch('a', { signal: controller.signal })
  await signalled.next()
  const pending = signalled.next()
  controller.abort(reason)
  await assert.rejects(pending, reason)
  assert.throws(() => client.watch('a', { signal: controller.signal }), reason)
  assert.equal(await subscriptions(client), 0)
})

test('leaving the loop ends the subscription; closing the client ends the loop', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  for await (const event of client.watch('a')) {
    assert.equal(event.type, 'snapshot')
    break
  }
  assert.equal(await subscriptions(client), 0)
  const watch = client.watch('a')
  await watch.next()
  const ended = assert.rejects(watch.next(), { kind: 'closed' })
  await client.close()
  await ended
})

test('closing one client ends its own watches only', async (t) => {
  const { client, database } = open(t)
  const other = RenderStateClient.spawn({ database })
  const mine = client.watch('a')
  const theirs = other.watch('a')
  await mine.next()
  await theirs.next()
  const ended = assert.rejects(theirs.next(), { kind: 'closed' })
  await other.close()
  await ended
  await client.transition('a', 'start')
  assert.equal((await mine.next()).value.change.event, 'start')
})

test('changes of another process arrive', async (t) => {
  const { client, database } = open(t)
  const watch = client.watch('a')
  await watch.next()
  await spawnHost(t, 'transitions.mjs', [database, 'a']).ended
  const events = await readUntil(watch, (event) => event.status.state === 'failed')
  assert.deepEqual(events.map((event) => event.change.event), ['start', 'progress', 'cancel'])
})

test('a watch that resumes survives the death of the sidecar in the middle', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  await Promise.all(Array.from({ length: 500 }, () => client.transition('a', 'progress')))
  const watch = client.watch('a', { afterSeq: 0 })
  await watch.next()
  await killSidecar(client)
  await client.transition('a', 'fail')
  const events = await readUntil(watch, (event) => event.status.state === 'failed' && event.change.event === 'fail')
  assert.deepEqual(seqs(events), Array.from({ length: 502 }, (_, index) => index + 1))
})

test('waitFor answers what the store says, at once where it holds already', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  assert.equal((await client.waitFor('a', { states: ['queued'] })).state, 'queued')
  const waiting = client.waitFor('a')
  await client.transition('a', 'cancel', { context: { error: 'enough' } })
  assert.equal((await waiting).error, 'enough')
  const reason = new Error('too long')
  const controller = new AbortController()
  const aborted = client.waitFor('b', { signal: controller.signal })
  controller.abort(reason)
  await assert.rejects(aborted, reason)
  const closed = assert.rejects(client.waitFor('b'), { kind: 'closed' })
  await client.close()
  await closed
})

test('waitFor does not trust an event that is over when it is read', async (t) => {
  const { client } = open(t)
  const waiting = client.waitFor('a', { states: ['queued'] })
  await client.stats()
  // Both are committed before the client can read after the first.
  void client.transition('a', 'start')
  void client.transition('a', 'cancel')
  await client.transition('a', 'start')
  const status = await waiting
  assert.equal(status.state, 'queued')
  assert.equal(status.attempt, 2)
})
