import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, body, get, routes } from './support/routes.mjs'
import { open } from './support/sidecar.mjs'

const seqs = ({ changes }) => changes.map(({ seq }) => seq)

test('a page sees who did what when, and nothing internal', async (t) => {
  const { client } = open(t)
  const { history } = routes(client)
  const metadata = { secret: 1 }
  await client.transition('a', 'start', { actor: 'web', idempotencyKey: 'key', context: { metadata } })
  await client.transition('a', 'progress', { context: { renderId: 'r', bucketName: 'b', progress: 40 } })
  await client.transition('a', 'fail', { context: { error: 'no disk' }, actor: 'webhook' })
  await client.regenerate('a')
  await client.transition('a', 'progress')
  await client.transition('a', 'complete', { context: { videoUrl: 'https://v.example/a' } })
  const { changes, nextAfterSeq } = await body(await get(history), 200)
  assert.equal(nextAfterSeq, null)
  for (const change of changes) assert.match(change.at, /^\d{4}-.*Z$/)
  assert.deepEqual(changes.map(({ at, ...rest }) => rest), [
    { seq: 1, event: 'start', from: 'idle', to: 'queued', progress: 0, run: 1, attempt: 1, actor: 'web' },
    { seq: 2, event: 'progress', from: 'queued', to: 'rendering', progress: 40, run: 1, attempt: 1 },
    { seq: 3, event: 'fail', from: 'rendering', to: 'failed', progress: 40, run: 1, attempt: 1, actor: 'webhook', error: 'no disk' },
    { seq: 4, event: 'start', from: 'idle', to: 'queued', progress: 0, run: 2, attempt: 1 },
    { seq: 5, event: 'progress', from: 'queued', to: 'rendering', progress: 0, run: 2, attempt: 1 },
    { seq: 6, event: 'complete', from: 'rendering', to: 'completed', progress: 100, run: 2, attempt: 1, videoUrl: 'https://v.example/a' }
  ])
  const own = routes(client, { changeAnswer: ({ event, renderId }) => ({ event, renderId }) })
  assert.deepEqual((await body(await ask(own.history, 'afterSeq=1&limit=1'), 200)).changes, [{ event: 'progress', renderId: 'r' }])
  assert.deepEqual(await body(await get(history, 'never'), 200), { changes: [], nextAfterSeq: null })
})

test('the last changes come unasked, also of a long history; afterSeq reads it page by page', async (t) => {
  const { client } = open(t)
  const { history } = routes(client)
  await client.transition('a', 'start')
  await client.transition('other', 'start')
  await Promise.all(Array.from({ length: 2100 }, (_, index) => client.transition('a', 'progress', { context: { progress: index / 30 } })))
  const last = await body(await get(history), 200)
  assert.deepEqual(seqs(last), Array.from({ length: 100 }, (_, index) => 2003 + index))
  assert.equal(last.nextAfterSeq, null)
  assert.deepEqual(seqs(await body(await ask(history, 'limit=2'), 200)), [2101, 2102])
  assert.deepEqual(seqs(await body(await ask(history, 'limit=1000'), 200)).length, 1000)

  const all = []
  let after = 0
  do {
    const page = await body(await ask(history, `limit=1000&afterSeq=${after}`), 200)
    all.push(...seqs(page))
    after = page.nextAfterSeq
  } while (after !== null)
  assert.deepEqual(all, [1, ...Array.from({ length: 2100 }, (_, index) => index + 3)])
  assert.deepEqual(await body(await ask(history, 'afterSeq=2102'), 200), { changes: [], nextAfterSeq: null })
  assert.deepEqual(await body(await ask(history, `afterSeq=${Number.MAX_SAFE_INTEGER}`), 200), { changes: [], nextAfterSeq: null })
})

test('a query that makes no sense is 400, and says why', async (t) => {
  const { client } = open(t)
  const { history } = routes(client)
  await client.transition('a', 'start')
  for (const value of ['', '0', '-1', '1001', '1.5', '1e2', '0x1', ' 1', 'x', '١', '9'.repeat(400), '1&limit=2', '__proto__', '%00', '%0A1']) {
    assert.deepEqual(await body(await ask(history, `limit=${value}`), 400), { error: 'limit is one integer from 1 to 1000' }, value)
  }
  for (const value of ['', '-1', '1.5', 'x', '9007199254740992', '9'.repeat(400), '0&afterSeq=0', 'null', '%EF']) {
    assert.deepEqual(await body(await ask(history, `afterSeq=${value}`), 400), { error: 'afterSeq is one integer, the seq of a change' }, value)
  }
  assert.equal((await body(await ask(history, 'limit=1&afterSeq=0&_=17'), 200)).changes.length, 1)
})
