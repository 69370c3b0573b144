import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { RenderStateClient } from '../../node/dist/index.js'
import { sseReader } from '../../node/test/support/sse.mjs'
import { startApp, until } from './support/app.mjs'
import { temporaryFolder } from './support/build.mjs'

const notes = '/api/patch-notes'

test('without a cloud a click makes a video that a browser can play', async (t) => {
  const app = await startApp(t)
  const viewer = sseReader(await app.get(`${notes}/7/video-status-stream`))
  assert.equal((await app.post(`${notes}/7/regenerate-video`)).status, 202)
  const seen = await viewer.events()
  assert.equal(seen.at(-1).event, 'end')
  const { status, videoUrl } = seen.at(-2).data
  assert.equal(status, 'completed', JSON.stringify(seen))
  assert.ok(seen.some(({ data }) => data.progress > 0 && data.progress < 100))

  assert.match(videoUrl, /^\/videos\/[0-9a-f]{16}\.mp4$/)
  const whole = Buffer.from(await (await app.get(videoUrl)).arrayBuffer())
  assert.equal(whole.subarray(4, 8).toString(), 'ftyp')
  const part = await app.get(videoUrl, { Range: 'bytes=100-199' })
  assert.equal(part.status, 206)
  assert.equal(part.headers.get('content-range'), `bytes 100-199/${whole.length}`)
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(100, 200))
  assert.equal((await app.get(videoUrl, { Range: `bytes=${whole.length}-` })).status, 416)
  assert.equal((await app.ask(videoUrl, { method: 'HEAD' })).headers.get('content-length'), String(whole.length))
  for (const name of ['..%2Frenders.sqlite', 'renders.sqlite', '0123456789abcdef.mp4']) {
    assert.equal((await app.get(`/videos/${name}`)).status, 404, name)
  }
  assert.equal((await app.post('/api/webhooks/remotion', { body: '{}' })).status, 404)
  assert.deepEqual(app.logs, [])
})

test('a cancel kills the ffmpeg that another route has started', async (t) => {
  const app = await startApp(t)
  await app.post(`${notes}/7/regenerate-video`)
  const response = await app.post(`${notes}/7/cancel-video`)
  assert.equal((await response.json()).status, 'failed')
  await until(() => readdirSync(app.videos).length === 0, 'nothing is left of it')
})

test('an application that starts looks after the renders that the last one has left', async (t) => {
  const folder = temporaryFolder()
  const left = RenderStateClient.spawn({ database: `${folder}/renders.sqlite` })
  t.after(() => left.close())
  await left.transition('7', 'start')
  await left.transition('7', 'progress', { context: { renderId: 'lost-1', bucketName: 'remotionlambda-x' } })
  await startApp(t, { folder, lambda: true })
  assert.equal((await left.waitFor('7')).videoUrl, 'https://v.example/lost-1.mp4')
})
