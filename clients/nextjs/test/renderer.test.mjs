import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { lambdaEnvironment, loadOverlay } from './support/app.mjs'
import { root } from './support/build.mjs'

const named = (calls, name) => calls.filter((call) => call[0] === name).map((call) => call[1])

test('a video is claimed, then rendered, then known by its renderId', async (t) => {
  const { renderer, services, client, calls } = await loadOverlay(t)
  const { renderId, bucketName, ...rest } = await renderer.startVideoRender('7')
  assert.deepEqual(rest, {})
  assert.equal(bucketName, 'remotionlambda-x')
  const status = await services.getVideoRenderStatus('7')
  assert.deepEqual([status.state, status.renderId, status.bucketName], ['rendering', renderId, bucketName])
  const { changes } = await client.getHistory('7')
  assert.deepEqual(changes.map(({ event }) => event), ['start', 'progress'])
  const [input] = named(calls, 'render')
  assert.deepEqual(input.inputProps, { id: '7' })
  assert.deepEqual(input.webhook, { url: lambdaEnvironment.REMOTION_WEBHOOK_URL, secret: 'quiet', customData: { id: '7', run: 1, attempt: 1 } })
})

test('of concurrent calls one pays, and the others are told what there is', async (t) => {
  const { renderer, calls } = await loadOverlay(t)
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => renderer.startVideoRender('7')))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const { reason } of results.filter(({ status }) => status === 'rejected')) {
    assert.equal(reason.name, 'VideoRenderError')
    assert.equal(reason.outcome, 'refused')
    assert.equal(reason.status.id, '7')
    assert.match(reason.message, /queued|rendering/)
  }
  assert.equal(named(calls, 'render').length, 1)
})

test('a call that the renderer refuses fails the render, and may be tried again', async (t) => {
  const { renderer, services, calls } = await loadOverlay(t)
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    await assert.rejects(renderer.startVideoRender('refused'), (error) => {
      assert.deepEqual([error.name, error.outcome, error.status.state, error.status.attempt], ['VideoRenderError', 'failed', 'failed', attempt])
      assert.match(error.message, /Rate Exceeded/)
      assert.equal(error.cause.message, 'Rate Exceeded')
      return true
    })
  }
  assert.equal((await services.getVideoRenderStatus('refused')).error, 'Rate Exceeded')
  assert.equal(named(calls, 'render').length, 2)
})

test('a render that is cancelled while the renderer is called is stopped there', async (t) => {
  const { renderer, services, calls } = await loadOverlay(t)
  const starting = renderer.startVideoRender('7')
  const cancelling = services.cancelVideoRender('7')
  await assert.rejects(starting, ({ outcome, status, message }) => {
    assert.deepEqual([outcome, status.state, status.error], ['superseded', 'failed', 'Render cancelled'])
    return /failed/.test(message)
  })
  assert.equal((await cancelling).success, true)
  assert.equal(named(calls, 'render').length, 1)
  assert.equal(named(calls, 'cancel').length, 1)
})

test('of an id that no render can have nothing is started', async (t) => {
  const { renderer, calls } = await loadOverlay(t)
  for (const id of ['', 'a\r\nb', 'x'.repeat(10_240)]) {
    await assert.rejects(renderer.startVideoRender(id), { kind: 'invalidParams' })
    await assert.rejects(renderer.checkVideoRenderStatus(id), { kind: 'invalidParams' })
  }
  assert.deepEqual(calls, [])
})

test('a completed video is rendered anew, in a run of its own', async (t) => {
  const { renderer, services, client } = await loadOverlay(t)
  await renderer.startVideoRender('7')
  await services.completeVideoRender('7', 'https://v.example/7.mp4')
  await renderer.startVideoRender('7')
  const { run, attempt, state } = await client.getStatus('7')
  assert.deepEqual([run, attempt, state], [2, 1, 'rendering'])
})

test('the status is that of the store, in the new words and in the old ones', async (t) => {
  const { renderer, services } = await loadOverlay(t)
  const both = async (id, status, legacy, rest) => {
    assert.deepEqual(await renderer.checkVideoRenderStatus(id), { status, ...rest })
    assert.deepEqual(await renderer.getVideoRenderStatus(id), { status: legacy, ...rest })
  }
  await both('7', 'idle', 'pending', { progress: 0 })
  await services.startVideoRenderTransition('7')
  await both('7', 'queued', 'pending', { progress: 0 })
  // Without a bucketName there is nobody to ask.
  await services.markRenderStarted('7', 'r1')
  await services.updateVideoRenderProgress('7', 40)
  await both('7', 'rendering', 'rendering', { progress: 40 })
  await services.failVideoRender('7', 'no disk')
  await both('7', 'failed', 'failed', { progress: 40, error: 'no disk' })
  await services.startVideoRenderTransition('7')
  await services.markRenderStarted('7', 'r2')
  await services.completeVideoRender('7', 'https://v.example/7.mp4')
  await both('7', 'completed', 'completed', { progress: 100, videoUrl: 'https://v.example/7.mp4' })
})

test('who asks for the status of a render sets the poller on it', async (t) => {
  const { renderer, client, calls } = await loadOverlay(t)
  await renderer.startVideoRender('lost')
  await Promise.all(Array.from({ length: 10 }, () => renderer.checkVideoRenderStatus('lost')))
  const { state, videoUrl, renderId } = await client.waitFor('lost')
  assert.deepEqual([state, videoUrl], ['completed', `https://v.example/${renderId}.mp4`])
  assert.equal(named(calls, 'progress').length, 1)
})

test('renders go on being looked at after a restart, by one poller, however often it is registered', async (t) => {
  const { register, services, client, calls, poller, copy } = await loadOverlay(t)
  await services.startVideoRenderTransition('old')
  await services.markRenderStarted('old', 'lost-1', 'remotionlambda-x')
  const runtime = process.env.NEXT_RUNTIME
  t.after(() => (runtime === undefined ? delete process.env.NEXT_RUNTIME : (process.env.NEXT_RUNTIME = runtime)))
  process.env.NEXT_RUNTIME = 'edge'
  await register()
  process.env.NEXT_RUNTIME = 'nodejs'
  await register()
  await register()
  await copy.register()
  assert.equal(copy.poller, poller)
  assert.equal((await client.waitFor('old')).videoUrl, 'https://v.example/lost-1.mp4')
  await services.startVideoRenderTransition('new')
  await services.markRenderStarted('new', 'lost-2', 'remotionlambda-x')
  assert.equal((await client.waitFor('new')).videoUrl, 'https://v.example/lost-2.mp4')
  assert.deepEqual(named(calls, 'progress').map(({ renderId }) => renderId), ['lost-1', 'lost-2'])
  await poller.stop()
})

test('a render that nobody begins, or that stands still, does not stay active for ever', async (t) => {
  const { services, client } = await loadOverlay(t)
  await services.startVideoRenderTransition('7')
  const commandLine = execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(client.pid)], { encoding: 'utf8' })
  assert.match(commandLine, / --queued-timeout 5m --stall-timeout 15m$/m)
})

test('the lines for Remotion Lambda in the README are those that the tests run', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  assert.ok(readme.includes(`\`\`\`ts\n${readFileSync(join(root, 'test/lambda/video-renderer.ts'), 'utf8')}\`\`\``))
})
