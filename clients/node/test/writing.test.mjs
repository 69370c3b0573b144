import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestQueue } from '../dist/request-queue.js'
import { initializedSource, madeUpSidecar, open, temporaryFolder } from './support/sidecar.mjs'

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** A queue whose writes are recorded. */
function recorded(maxPendingBytes = 1e9) {
  const writes = []
  const outlet = { takes: true, write: (text) => (writes.push(text), outlet.takes) }
  const busy = []
  const queue = new RequestQueue(maxPendingBytes, (value) => busy.push(value))
  return { queue, writes, outlet, busy }
}

test('requests of one turn of the event loop leave as one write, in order', async () => {
  const { queue, writes, outlet, busy } = recorded()
  queue.attach(outlet)
  const answers = [1, 2, 3].map((id) => queue.send('getStatus', { id }, {}))
  await Promise.resolve().then(() => answers.push(queue.send('getStatus', { id: 4 }, {})))
  await turn()
  assert.equal(writes.length, 1)
  assert.deepEqual(writes[0].trim().split('\n').map((line) => JSON.parse(line).params.id), [1, 2, 3, 4])
  for (const id of [1, 2, 3, 4]) assert.ok(queue.receive({ id, result: id }))
  assert.deepEqual(await Promise.all(answers), [1, 2, 3, 4])
  assert.deepEqual(busy, [true, false])
  assert.equal(queue.receive({ id: 4, result: 4 }), false)
})

test('a pipe that is full gets nothing more until it has drained, and large queues leave in pieces', async () => {
  const { queue, writes, outlet } = recorded()
  outlet.takes = false
  queue.attach(outlet)
  const text = 'x'.repeat(100_000)
  for (let index = 0; index < 10; index += 1) void queue.send('getStatus', { text }, {})
  await turn()
  assert.equal(writes.length, 1)
  void queue.send('getStatus', { text }, {})
  await turn()
  assert.equal(writes.length, 1)
  queue.drained()
  assert.equal(writes.length, 2)
  outlet.takes = true
  queue.drained()
  assert.ok(writes.every((write) => write.length < 400_000))
  assert.equal(writes.join('').trim().split('\n').length, 11)
})

test('beyond maxPendingBytes a request is refused, until answers come', async () => {
  const { queue, outlet } = recorded(500)
  queue.attach(outlet)
  const text = 'x'.repeat(300)
  const first = queue.send('getStatus', { text }, {})
  await assert.rejects(queue.send('getStatus', { text }, {}), { kind: 'overloaded' })
  await turn()
  queue.receive({ id: 1, result: 'ok' })
  assert.equal(await first, 'ok')
  // A single large one is for the sidecar to refuse.
  const large = queue.send('getStatus', { text: 'x'.repeat(1000) }, {})
  await turn()
  queue.receive({ id: 3, result: 'ok' })
  await large
})

test('requests that were abandoned count until they are answered, or a sidecar that hangs would fill the memory', async () => {
  const { queue, outlet } = recorded(550)
  outlet.takes = false
  queue.attach(outlet)
  const abandon = async () => {
    const gone = new AbortController()
    const abandoned = assert.rejects(queue.send('getStatus', { text: 'x'.repeat(100) }, { signal: gone.signal }), { name: 'AbortError' })
    await turn()
    gone.abort()
    await abandoned
  }
  for (let fits = 0; fits < 3; fits += 1) await abandon()
  await assert.rejects(queue.send('getStatus', { text: 'x'.repeat(100) }, {}), { kind: 'overloaded' })
  queue.detach()
  await abandon()
  assert.equal(queue.size, 0)
})

test('what was in flight is sent again to the next process, before what came later; what is its own is not', async () => {
  const { queue, writes, outlet } = recorded()
  queue.attach(outlet)
  const first = queue.send('transition', { n: 1 }, {})
  const own = assert.rejects(queue.send('subscribe', {}, { perProcess: true }), { kind: 'sidecarFailed' })
  const gone = new AbortController()
  const abandoned = assert.rejects(queue.send('transition', { n: 2 }, { signal: gone.signal }), { name: 'AbortError' })
  await turn()
  gone.abort()
  queue.notify('unsubscribe', {})
  queue.detach()
  const last = queue.send('transition', { n: 3 }, {})
  await Promise.all([own, abandoned])
  queue.attach(outlet)
  assert.deepEqual(writes.slice(1).join('').trim().split('\n').map((line) => JSON.parse(line).params.n), [1, 3])
  // An answer without an id is that of the oldest request.
  queue.receive({ id: null, error: { code: -32700, message: 'unreadable', data: { kind: 'parseError' } } })
  await assert.rejects(first, { kind: 'parseError' })
  // Not carried out, as the process ends: for the next one.
  queue.receive({ id: 5, error: { code: -32007, message: 'ends', data: { kind: 'shuttingDown' } } })
  queue.receive({ id: 4, error: { code: -32007, message: 'ends', data: { kind: 'shuttingDown' } } })
  queue.detach()
  queue.attach(outlet)
  queue.receive({ id: JSON.parse(writes.at(-1)).id, result: 'done' })
  assert.equal(await last, 'done')
  assert.equal(queue.size, 0)
})

test('a sidecar that does not read is no reason to hold more than the bound', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `process.stdin.once('data', (data) => {
       process.stdin.pause()
       ${initializedSource.replace(/const lines.*/, '')}
       process.stdout.write(initialized('initialize'))
       setInterval(() => 0, 1000)
     })`
  )
  const { client } = open(t, { command, maxPendingBytes: 4 << 20, timeouts: { closeMs: 20, killMs: 100 } })
  const metadata = { text: 'x'.repeat(64 * 1024) }
  const settled = Promise.allSettled(Array.from({ length: 200 }, () => client.transition('a', 'progress', { context: { metadata } })))
  await assert.rejects(client.transition('a', 'progress', { context: { metadata } }), { kind: 'overloaded' })
  await client.close()
  const kinds = (await settled).map((result) => result.reason.kind)
  assert.deepEqual([...new Set(kinds)].sort(), ['closed', 'overloaded'])
})
