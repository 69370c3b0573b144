import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ffmpegRenderer, RenderPoller, startRender } from 'renderstate/remotion'
import { history, isRunning, open, temporaryFolder, until } from './support/sidecar.mjs'

const site = { region: 'local', functionName: 'ffmpeg' }

function studio(t, settings = {}) {
  const { client } = open(t)
  const folder = temporaryFolder(t)
  const renderer = ffmpegRenderer({ folder, ...settings })
  const poller = new RenderPoller({ client, renderer, ...site, intervalMs: 20 })
  t.after(() => poller.stop())
  return { client, folder, renderer, poller }
}

test('a video is encoded, with progress, and can be the source of the next one', async (t) => {
  const { client, folder, renderer, poller } = studio(t)
  await startRender(client, renderer, 'intro', { ...site, source: { seconds: 1 }, realTime: true })
  const status = await poller.poll('intro')
  assert.equal(status.state, 'completed', status.error)
  const path = fileURLToPath(status.videoUrl)
  assert.ok(path.startsWith(folder))
  const probed = execFileSync('ffprobe', ['-v', 'error', '-show_entries', 'format=duration,format_name', '-of', 'csv=p=0', path], { encoding: 'utf8' })
  assert.match(probed, /mp4.*,1\.0/)
  const steps = (await history(client, 'intro')).filter((change) => change.actor === 'poller' && change.event === 'progress')
  assert.ok(steps.some((step) => step.progress > 0 && step.progress < 100))

  await startRender(client, renderer, 'copy', { ...site, source: { file: path } })
  assert.equal((await poller.poll('copy')).state, 'completed')
  assert.equal(readdirSync(folder).length, 2)
  // Another process knows the finished one, and no other file.
  const other = ffmpegRenderer({ folder, baseUrl: '/videos' })
  const { renderId } = status
  assert.equal((await other.getRenderProgress({ renderId, bucketName: 'local', ...site })).outputFile, `/videos/${renderId}.mp4`)
  await assert.rejects(other.getRenderProgress({ renderId: `../${renderId}`, bucketName: 'local', ...site }), /No render ID found/)
})

test('a video that the host serves has the path that the host gives it', async (t) => {
  const { client, renderer, poller } = studio(t, { baseUrl: '/videos' })
  const { render } = await startRender(client, renderer, 'intro', { ...site, source: { seconds: 1 } })
  assert.equal((await poller.poll('intro')).videoUrl, `/videos/${render.renderId}.mp4`)
})

test('a render that is cancelled is killed, and nothing is left of it', async (t) => {
  const { client, folder, renderer, poller } = studio(t)
  const { render } = await startRender(client, renderer, 'intro', { ...site, source: { seconds: 600 }, realTime: true })
  t.after(() => renderer.cancelRenderOnLambda({ ...render, region: 'local' }))
  await until(() => readdirSync(folder).length === 1, 'ffmpeg writes')
  const children = () => execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' })
  const [, pid] = /^ *(\d+) ffmpeg /m.exec(children())
  const polling = poller.poll('intro')
  await renderer.cancelRenderOnLambda({ ...render, region: 'local' })
  const status = await polling
  assert.deepEqual([status.state, status.lastEvent, status.error], ['failed', 'cancel', 'the render was cancelled'])
  assert.ok(!isRunning(Number(pid)))
  assert.deepEqual(readdirSync(folder), [])
})

test('a render belongs to the process, and not to the copy of the module that started it', async (t) => {
  const { client, folder, renderer, poller } = studio(t)
  const copy = await import(new URL('../dist/remotion/ffmpeg-renderer.js?copy', import.meta.url))
  assert.notEqual(copy.ffmpegRenderer, ffmpegRenderer)
  const { render } = await startRender(client, renderer, 'intro', { ...site, source: { seconds: 600 }, realTime: true })
  await copy.ffmpegRenderer({ folder }).cancelRenderOnLambda({ ...render, region: 'local' })
  assert.equal((await poller.poll('intro')).lastEvent, 'cancel')
})

test('what ffmpeg refuses fails the render with its words', async (t) => {
  const { client, folder, renderer, poller } = studio(t)
  await startRender(client, renderer, 'intro', { ...site, source: { file: `${folder}/none.mov` } })
  const status = await poller.poll('intro')
  assert.equal(status.state, 'failed')
  assert.match(status.error, /No such file/)
})

test('without ffmpeg the start fails', async (t) => {
  const { client, renderer } = studio(t, { command: '/nowhere/ffmpeg' })
  const result = await startRender(client, renderer, 'intro', { ...site, source: { seconds: 1 } })
  assert.deepEqual([result.outcome, result.status.state], ['failed', 'failed'])
  assert.match(result.status.error, /cannot be started/)
})
