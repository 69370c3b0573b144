import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildFolder, esbuild, root } from './support/build.mjs'
import { loadOverlay } from './support/app.mjs'

const table = JSON.parse(readFileSync(join(root, '../../protocol/state-machine.json'), 'utf8'))
const states = ['idle', 'queued', 'rendering', 'completed', 'failed']
const events = ['start', 'progress', 'complete', 'fail', 'cancel']

test('of all 25 pairs those of the contract are transitions', async (t) => {
  const { services } = await loadOverlay(t)
  for (const state of states) {
    for (const event of events) {
      const to = table.states[state].on?.[event]?.target ?? null
      assert.equal(services.getNextState(state, event), to, `${state} ${event}`)
      assert.equal(services.isValidTransition(state, event), to !== null)
    }
  }
  assert.equal(services.getNextState('__proto__', 'start'), null)
  assert.deepEqual(states.filter(services.isTerminalState), ['completed', 'failed'])
  assert.deepEqual(states.filter(services.isActiveState), ['queued', 'rendering'])
})

test('the legacy column is read and written as before', async (t) => {
  const { services } = await loadOverlay(t)
  const read = services.mapProcessingStatusToState
  assert.equal(read('generating_video', true), 'rendering')
  assert.equal(read('generating_video', false), 'queued')
  for (const hasRenderId of [true, false]) {
    assert.equal(read('completed', hasRenderId), 'completed')
    assert.equal(read('failed', hasRenderId), 'failed')
    for (const other of [null, undefined, '', 'idle', 'draft', '__proto__', 'GENERATING_VIDEO']) assert.equal(read(other, hasRenderId), 'idle')
  }
  const written = states.map(services.mapStateToProcessingStatus)
  assert.deepEqual(written, ['completed', 'generating_video', 'generating_video', 'completed', 'failed'])
})

test('a render that was never started is idle', async (t) => {
  const { services } = await loadOverlay(t)
  const status = await services.getVideoRenderStatus('a')
  const nothing = { renderId: null, bucketName: null, videoUrl: null, error: null }
  assert.deepEqual(status, { state: 'idle', progress: 0, ...nothing, lastUpdated: new Date(0) })
})

test('a render goes its way through the functions that callers know', async (t) => {
  const { services } = await loadOverlay(t)
  const began = Date.now()
  const path = []
  const step = async (promise) => {
    const { success, previousState, newState, error, status } = await promise
    assert.ok(success, error)
    assert.equal(error, undefined)
    assert.equal(status.state, newState)
    path.push(`${previousState} ${newState}`)
    return status
  }
  await step(services.startVideoRenderTransition('a'))
  const started = await step(services.markRenderStarted('a', 'r1', 'bucket'))
  assert.deepEqual([started.renderId, started.bucketName], ['r1', 'bucket'])
  assert.equal((await step(services.updateVideoRenderProgress('a', 42))).progress, 42)
  const done = await step(services.completeVideoRender('a', 'https://v.example/a.mp4'))
  assert.ok(done.lastUpdated instanceof Date && done.lastUpdated.getTime() >= began - 1000)
  assert.deepEqual(path, ['idle queued', 'queued rendering', 'rendering rendering', 'rendering completed'])
  assert.deepEqual(await services.getVideoRenderStatus('a'), {
    state: 'completed',
    progress: 100,
    renderId: 'r1',
    bucketName: 'bucket',
    videoUrl: 'https://v.example/a.mp4',
    error: null,
    lastUpdated: done.lastUpdated
  })

  const withRenderer = await step(services.startVideoRenderTransition('b', 'r2', 'bucket'))
  assert.deepEqual([withRenderer.renderId, withRenderer.bucketName], ['r2', 'bucket'])
  assert.equal((await step(services.failVideoRender('b', 'no disk'))).error, 'no disk')
  await step(services.startVideoRenderTransition('b'))
  assert.equal((await step(services.cancelVideoRender('b'))).error, 'Render cancelled')
  assert.equal((await step(services.transitionVideoRenderState('b', 'start', { renderId: 'r3' }))).renderId, 'r3')
})

test('a refusal is an answer with the render as it is', async (t) => {
  const { services } = await loadOverlay(t)
  const refused = async (promise, previousState, error) => {
    const result = await promise
    assert.deepEqual([result.success, result.previousState, result.newState, result.status.state], [false, previousState, null, previousState])
    assert.match(result.error, error)
    return result
  }
  await refused(services.completeVideoRender('a', 'https://v.example/a.mp4'), 'idle', /complete.*idle/)
  await services.startVideoRenderTransition('a', 'r1', 'bucket')
  await refused(services.startVideoRenderTransition('a'), 'queued', /start.*queued/)
  await refused(services.completeVideoRender('a', 'https://v.example/a.mp4'), 'queued', /complete.*queued/)
  await refused(services.markRenderStarted('a', 'r2', 'bucket'), 'queued', /render/)
  for (const progress of [NaN, Infinity, -1, 101, '50']) await refused(services.updateVideoRenderProgress('a', progress), 'queued', /progress/)
  await refused(services.transitionVideoRenderState('a', 'fail', { videoUrl: 'https://v.example' }), 'queued', /videoUrl/)
  await refused(services.transitionVideoRenderState('a', 'explode'), 'queued', /event/)
  assert.equal((await services.getVideoRenderStatus('a')).state, 'queued')
})

test('an id that no render can have is refused, and any other one is as good as a number', async (t) => {
  const { services } = await loadOverlay(t)
  for (const id of ['', 'a\r\nb', 'x'.repeat(10_240), '\ud800', 7, null]) {
    const result = await services.startVideoRenderTransition(id)
    assert.deepEqual([result.success, result.status.state], [false, 'idle'], JSON.stringify(id))
    assert.ok(result.error)
    assert.equal((await services.updateVideoRenderProgress(id, NaN)).success, false)
    await assert.rejects(services.getVideoRenderStatus(id), { name: 'RenderStateError' })
  }
  for (const id of ['a/b', '../a', '__proto__', 'constructor', '🎬', ' ']) {
    assert.equal((await services.startVideoRenderTransition(id)).newState, 'queued', id)
    assert.equal((await services.getVideoRenderStatus(id)).state, 'queued', id)
  }
})

test('a store that cannot be had is an exception that says what to do', async (t) => {
  const { services } = await loadOverlay(t, { env: { RENDERSTATE_DATABASE: '/nowhere/renders.sqlite' } })
  const failure = { kind: 'sidecarFailed', message: /the folder \/nowhere does not exist; make it/ }
  await assert.rejects(services.getVideoRenderStatus('a'), failure)
  await assert.rejects(services.startVideoRenderTransition('a'), failure)
  await assert.rejects(services.updateVideoRenderProgress('a', NaN), failure)
})

test('the state machine can be imported in the browser', () => {
  const outfile = join(buildFolder(), 'browser.js')
  const options = ['--platform=browser', '--format=esm', '--tree-shaking=false', '--tsconfig=tsconfig.json']
  esbuild([...options, `--outfile=${outfile}`, 'lib/services/video-render-state-machine.ts'])
  assert.doesNotMatch(readFileSync(outfile, 'utf8'), /node:|RenderStateClient|require/)
})
