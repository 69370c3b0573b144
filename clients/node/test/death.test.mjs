import assert from 'node:assert/strict'
import { test } from 'node:test'
import { history, initializedSource, killSidecar, madeUpSidecar, open, readUntil, temporaryFolder, until } from './support/sidecar.mjs'

test('requests in flight when the sidecar is killed are answered by the next one, and take effect once', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const requests = Array.from({ length: 300 }, (_, index) => client.transition('a', 'progress', { context: { progress: index / 3 } }))
  await requests[20]
  process.kill(client.pid, 'SIGKILL')
  const results = await Promise.all(requests)
  assert.deepEqual(results.map((result) => result.version), results.map((_, index) => index + 2))
  assert.deepEqual((await history(client, 'a')).map((change) => change.version), [1, ...results.map((result) => result.version)])
})

test('an answer that was lost on the way is given again, and the change is not made again', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const before = await client.transition('a', 'progress', { idempotencyKey: 'once' })
  await killSidecar(client)
  const after = await client.transition('a', 'progress', { idempotencyKey: 'once' })
  assert.equal(after.replayed, true)
  assert.equal(after.seq, before.seq)
})

test('a watch goes on with the next sidecar: nothing is missed, nothing comes twice', async (t) => {
  const { client } = open(t)
  const watch = client.watch('a')
  await client.transition('a', 'start')
  for (let round = 0; round < 5; round += 1) {
    await killSidecar(client)
    await client.transition('a', 'progress')
    await client.transition('a', 'progress')
  }
  const events = await readUntil(watch, (event) => event.type === 'change' && event.change.version === 11)
  const versions = events.filter((event) => event.type === 'change').map((event) => event.change.version)
  // The watch may have begun after the start, which its snapshot tells then.
  assert.deepEqual(versions, Array.from({ length: versions.length }, (_, index) => 12 - versions.length + index))
  assert.equal(events[0].statuses[0].version + versions.length, 11)
})

test('waitFor outlives the sidecar', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const waiting = client.waitFor('a')
  await client.transition('a', 'progress')
  await killSidecar(client)
  await client.transition('a', 'complete', { context: { videoUrl: 'https://v.example/a' } })
  assert.equal((await waiting).videoUrl, 'https://v.example/a')
})

test('an idle sidecar that dies is started again by the next request', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const pid = await killSidecar(client)
  assert.equal(client.pid, null)
  assert.equal((await client.getStatus('a')).state, 'queued')
  assert.notEqual(client.pid, pid)
})

test('a sidecar that dies again and again ends in one clear error, and not in a loop', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `${initializedSource}
     console.error('started')
     lines.on('line', (line) => {
       const { id, method } = JSON.parse(line)
       if (method === 'initialize') process.stdout.write(initialized(id))
       else if (method !== 'subscribe') { console.error('it hurts'); process.exitCode = 7; process.stdin.destroy() }
     })`
  )
  const { client, logs } = open(t, { command })
  const watch = client.watch('a')
  const waiting = client.waitFor('b')
  const settled = await Promise.allSettled([client.transition('a', 'start'), client.getStatus('b'), watch.next(), waiting])
  for (const { reason } of settled) {
    assert.equal(reason.kind, 'sidecarFailed')
    assert.match(reason.message, /code 7, the last of 7 times in a row.*it hurts/s)
  }
  const starts = () => logs.filter((line) => line === 'started').length
  assert.equal(starts(), 7)
  // Right after that, the same error without a further process.
  await assert.rejects(client.getStatus('a'), { kind: 'sidecarFailed' })
  assert.equal(starts(), 7)
  // The clock of the machine may be set back meanwhile: the pause does not become longer.
  const { now } = Date
  t.mock.method(Date, 'now', () => now() - 3_600_000)
  await until(async () => {
    await assert.rejects(client.getStatus('a'), { kind: 'sidecarFailed' })
    return starts() > 7
  })
})

test('nonsense on stdout ends that sidecar; the request is answered by the next one', async (t) => {
  const folder = temporaryFolder(t)
  const command = madeUpSidecar(
    folder,
    `${initializedSource}
     const fs = require('node:fs')
     lines.on('line', (line) => {
       const { id, method } = JSON.parse(line)
       if (method === 'initialize') return process.stdout.write(initialized(id))
       if (fs.existsSync('${folder}/second')) return process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { id: 'a' } }) + '\\n')
       fs.writeFileSync('${folder}/second', '')
       process.stdout.write('Hello, world!\\n')
     })`
  )
  const { client, logs } = open(t, { command })
  assert.deepEqual(await client.getStatus('a'), { id: 'a' })
  assert.ok(logs.some((line) => /Hello, world!/.test(line)))
})

test('a sidecar that is asked to end from outside is replaced, and no request is lost', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const requests = Array.from({ length: 200 }, () => client.transition('a', 'progress'))
  await requests[0]
  process.kill(client.pid, 'SIGTERM')
  const results = await Promise.all(requests)
  assert.equal(new Set(results.map((result) => result.version)).size, 200)
  await until(async () => (await client.getStatus('a')).version === 201)
})
