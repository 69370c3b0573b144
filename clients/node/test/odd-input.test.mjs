import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open } from './support/sidecar.mjs'

const legal = ['__proto__', 'constructor', 'toString', 'a/b/../c', '🎬 intro', 'ünï', ' ', '0', '%00', '"quoted"', 'x'.repeat(200)]
const illegal = ['', 'a\r\nb', 'a\nid: 7', 'nul\0', 'x'.repeat(201), 'é'.repeat(101), '🎬'.repeat(2560), 'x'.repeat(10_240), 'tab\t', '\u0085']

test('ids that look odd are ids like any other', async (t) => {
  const { client } = open(t)
  const watches = legal.map((id) => client.watch(id))
  for (const watch of watches) assert.equal((await watch.next()).value.statuses[0].state, 'idle')
  await Promise.all(legal.map((id) => client.transition(id, 'start', { actor: id })))
  for (const [index, id] of legal.entries()) {
    const { value } = await watches[index].next()
    assert.equal(value.change.id, id)
    assert.equal(value.status.id, id)
    assert.equal((await client.getStatus(id)).id, id)
    assert.equal((await client.getStatus(id, { fresh: true })).version, 1)
    assert.equal((await client.getHistory(id)).changes[0].actor, id)
  }
  assert.deepEqual((await client.getStatuses(legal)).map((status) => status.id), legal)
})

test('ids that are none get a clear error, everywhere, and store nothing', async (t) => {
  const { client } = open(t)
  for (const id of illegal) {
    const refused = { kind: 'invalidParams', code: -32602 }
    await assert.rejects(client.transition(id, 'start'), refused)
    await assert.rejects(client.regenerate(id), refused)
    await assert.rejects(client.getStatus(id), refused)
    await assert.rejects(client.getStatuses(['fine', id]), refused)
    await assert.rejects(client.getHistory(id), refused)
    await assert.rejects(client.watch(id).next(), refused)
    await assert.rejects(client.waitFor(id), refused)
    await assert.rejects(client.acquireLease({ name: id, holder: 'h', ttlMs: 1000 }), refused)
  }
  for (const id of [undefined, null, 7, {}, ['a']]) {
    await assert.rejects(client.transition(id, 'start'), { kind: 'invalidParams' })
    await assert.rejects(client.getStatus(id), { kind: 'invalidParams' })
  }
  await assert.rejects(client.watch({ ids: [] }).next(), { kind: 'invalidParams' })
  await assert.rejects(client.watch('a', { afterSeq: -1 }).next(), { kind: 'invalidParams' })
  assert.deepEqual((await client.listStatuses()).statuses, [])
  assert.equal((await client.stats()).subscriptions, 0)
})

test('what JSON cannot say is refused, and does not count as absent', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  for (const [path, options] of [
    ['params.expectedVersion', { expectedVersion: NaN }],
    ['params.context.progress', { context: { progress: Infinity } }],
    ['params.context.metadata.list[1].size', { context: { metadata: { list: [null, { size: -Infinity }] } } }]
  ]) {
    await assert.rejects(client.transition('a', 'progress', options), ({ kind, code, data }) => {
      assert.deepEqual([kind, code, data.path], ['invalidParams', -32602, path])
      return true
    })
  }
  for (const afterSeq of [NaN, 5n]) await assert.rejects(client.watch('a', { afterSeq }).next(), { kind: 'invalidParams' })
  assert.equal((await client.getStatus('a')).version, 1)
})

test('a line that the sidecar cannot read fails its own request only', async (t) => {
  const { client } = open(t)
  const [broken, deep, fine] = await Promise.allSettled([
    client.transition('\ud800', 'start'),
    client.transition('deep', 'start', { context: { metadata: JSON.parse('{"a":'.repeat(600) + '1' + '}'.repeat(600)) } }),
    client.transition('fine', 'start')
  ])
  assert.equal(broken.reason.kind, 'parseError')
  assert.equal(deep.reason.kind, 'parseError')
  assert.equal(fine.value.version, 1)
  await assert.rejects(
    client.transition('long', 'start', { context: { metadata: { text: 'x'.repeat(2 ** 20) } } }),
    { kind: 'invalidRequest', code: -32600 }
  )
  const circular = {}
  circular.self = circular
  await assert.rejects(client.transition('fine', 'progress', { context: { metadata: circular } }), { kind: 'invalidParams' })
  assert.equal((await client.getStatus('fine', { fresh: true })).version, 1)
})

test('metadata named __proto__ is data, also where the client merges it', async (t) => {
  const { client } = open(t)
  const metadata = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"keep":1}')
  const watch = client.watch('a')
  await watch.next()
  await client.transition('a', 'start', { context: { metadata: JSON.parse('{"keep":1,"gone":2}') } })
  await watch.next()
  await client.transition('a', 'progress', { context: { metadata: { ...metadata, gone: null } } })
  const { value } = await watch.next()
  assert.deepEqual(Object.keys(value.status.metadata).sort(), ['__proto__', 'constructor', 'keep'])
  assert.deepEqual(value.status, await client.getStatus('a', { fresh: true }))
  assert.equal({}.polluted, undefined)
  assert.equal(Object.prototype.polluted, undefined)
})
