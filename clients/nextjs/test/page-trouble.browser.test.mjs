import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { until } from '../../node/test/support/sidecar.mjs'
import { startApp } from './support/app.mjs'
import { cable, count, encoders, openPage, watchShown } from './support/page.mjs'

test('a page whose network was cut catches up, also with a render that has ended meanwhile', async (t) => {
  const app = await startApp(t)
  const { url, cut, mend } = await cable(t, app.url)
  const page = await openPage(t, url)
  await page.press('Render video')
  await page.is('rendering')
  await watchShown(page)
  cut()
  await page.until(() => document.querySelector('.video-render-connection').dataset.connection !== 'live')
  mend()
  await page.is('completed')
  const shown = await page.run(() => window.shown)
  assert.deepEqual([...new Set(shown.map(([state]) => state))], ['rendering', 'completed'], 'what is known last stays')
  const steps = shown.filter(([state]) => state === 'rendering').map(([, percent]) => percent)
  assert.deepEqual(steps, [...steps].sort((one, other) => one - other))

  await page.press('Render again')
  await page.is('rendering')
  cut()
  await until(async () => (await (await app.get('/api/patch-notes/7/video-status')).json()).status === 'completed')
  assert.equal(await page.state(), 'rendering')
  mend()
  await page.is('completed')
  await page.until(() => document.querySelectorAll('.video-history li[data-event=complete]').length === 2)
  assert.equal(await count(app, 'POST', 'regenerate-video'), 2)
})

test('two clicks at once in two tabs make one render, which both show', async (t) => {
  const app = await startApp(t)
  const { url, hold, release } = await cable(t, app.url)
  const pages = [await openPage(t, url), await openPage(t, url)]
  for (const page of pages) await page.is('idle')
  // Both have clicked before the server has got either click.
  hold()
  for (const page of pages) await page.press('Render video')
  release()
  for (const page of pages) await page.is('rendering')
  assert.equal(await count(app, 'POST', 'regenerate-video'), 2)
  assert.equal(encoders(app.videos).length, 1)
  for (const page of pages) {
    await page.is('completed')
    assert.equal(await page.run(() => document.querySelector('.video-render-notice').textContent), '')
  }
  const { changes } = await (await app.get('/api/patch-notes/7/video-history?limit=1000')).json()
  assert.deepEqual(changes.filter(({ event }) => event === 'start').map(({ run, attempt }) => [run, attempt]), [[1, 1]])
  assert.equal(readdirSync(app.videos).length, 1)
  const [one, other] = await Promise.all(pages.map((page) => page.run(() => document.querySelector('video').src)))
  assert.equal(one, other)
})

test('a render can be cancelled and tried again, and what the renderer says of its failure is shown', async (t) => {
  const app = await startApp(t)
  const page = await openPage(t, app.url)
  await page.press('Render video')
  await page.is('rendering')
  await page.press('Cancel')
  await page.is('failed')
  assert.equal((await page.history('cancel'))[0], 'cancel')
  await until(() => encoders(app.videos).length === 0)

  await page.press('Try again')
  await page.is('rendering')
  await page.until(() => document.querySelector('.video-render-state').textContent === 'Rendering attempt 2')
  process.kill(encoders(app.videos)[0], 'SIGKILL')
  await page.is('failed')
  const error = await page.run(() => document.querySelector('.video-render-error').textContent)
  assert.ok(error.length > 0)
  assert.equal(error, (await (await app.get('/api/patch-notes/7/video-status')).json()).error)
  await page.history('fail')
  await page.shot('failed-light')

  await page.press('Try again')
  await page.is('completed')
  await page.until(() => document.querySelectorAll('.video-history li[data-event=start]').length === 3)
})
