import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RenderStateError } from 'renderstate'
import { history, numbers, open } from './support/sidecar.mjs'

const ids = Array.from({ length: 100 }, (_, index) => `render-${index}`)
const requestCount = 10_000
const killCount = 20
const refusals = new Set(['invalidTransition', 'conflict', 'staleRender'])

/** Reads changes until the one with the last seq has come, and returns their seqs. */
async function seqsUntil(watch, lastSeq) {
  const seqs = []
  for (;;) {
    if (seqs.length > 0 && seqs.at(-1) >= (await lastSeq)) return seqs
    const { value } = await watch.next()
    if (value.type === 'snapshot') assert.equal(value.gap, false)
    else {
      assert.equal(value.skipped, 0)
      assert.ok(value.status.seq >= value.seq)
      seqs.push(value.seq)
    }
  }
}

test('10,000 transitions over 100 ids while the sidecar is killed 20 times: none is lost, none happens twice', async (t) => {
  const { client } = open(t)
  const next = numbers(42)
  const watches = ids.map((id) => client.watch(id))
  const watchOfAll = client.watch({})
  await Promise.all([...watches, watchOfAll].map((watch) => watch.next()))

  const killed = new Set()
  let settled = 0
  const countAndKill = () => {
    settled += 1
    // Spread over the whole run, and each process once, after it has answered something.
    if (killed.size < killCount && settled >= ((killed.size + 1) * requestCount) / (killCount + 2)) {
      const { pid } = client
      if (pid !== null && !killed.has(pid)) {
        process.kill(pid, 'SIGKILL')
        killed.add(pid)
      }
    }
  }
  const request = (index) => {
    const id = ids[index % ids.length]
    const roll = next(20)
    if (roll < 2) return { id, event: 'start', promise: client.regenerate(id) }
    const event = roll < 5 ? 'start' : roll < 17 ? 'progress' : roll < 18 ? 'complete' : roll < 19 ? 'fail' : 'cancel'
    const options = roll === 12 ? { expectedVersion: next(40) } : roll === 13 ? { context: { renderId: `r${next(4)}` } } : {}
    return { id, event, promise: client.transition(id, event, { ...options, actor: `request ${index}` }) }
  }
  const requests = Array.from({ length: requestCount }, (_, index) => request(index))
  for (const { promise } of requests) promise.then(countAndKill, countAndKill)
  const results = await Promise.allSettled(requests.map(({ promise }) => promise))
  assert.equal(killed.size, killCount)

  const changesBySeq = new Map()
  const lastSeqs = []
  for (const id of ids) {
    const changes = await history(client, id)
    assert.deepEqual(changes.map((change) => change.version), changes.map((_, index) => index + 1), 'versions have no gap and no double')
    for (const change of changes) changesBySeq.set(change.seq, change)
    lastSeqs.push(changes.at(-1).seq)
  }
  const accepted = new Set()
  let replayed = 0
  for (const [index, { id, event }] of requests.entries()) {
    const { value, reason } = results[index]
    if (value) {
      const change = changesBySeq.get(value.seq)
      assert.deepEqual([change.id, change.event, change.version], [id, event, value.version])
      assert.ok(!accepted.has(value.seq), 'no two requests were answered with the same change')
      accepted.add(value.seq)
      replayed += value.replayed ? 1 : 0
    } else {
      assert.ok(reason instanceof RenderStateError && refusals.has(reason.kind), `a typed refusal, not ${reason}`)
    }
  }
  assert.equal(accepted.size, changesBySeq.size, 'every change is the answer of one request')

  const allSeqs = [...changesBySeq.keys()].sort((a, b) => a - b)
  assert.deepEqual(await seqsUntil(watchOfAll, allSeqs.at(-1)), allSeqs)
  for (const [index, id] of ids.entries()) {
    const expected = allSeqs.filter((seq) => changesBySeq.get(seq).id === id)
    assert.deepEqual(await seqsUntil(watches[index], lastSeqs[index]), expected, `the watch of ${id} saw every seq`)
    assert.deepEqual(await client.getStatus(id), await client.getStatus(id, { fresh: true }))
  }
  t.diagnostic(`${accepted.size} accepted, ${requestCount - accepted.size} refused, ${replayed} answered a second time, ${killed.size} kills`)
})
