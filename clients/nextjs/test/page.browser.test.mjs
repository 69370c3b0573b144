import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startApp } from './support/app.mjs'
import { count, openPage, watchShown } from './support/page.mjs'

test('a click renders a video, which is shown as it comes by pushes alone, and plays', async (t) => {
  const app = await startApp(t)
  const page = await openPage(t, app.url)
  await page.is('idle')
  await page.shot('idle-light')
  await watchShown(page)
  await page.press('Render video')
  await page.progressBeyond(20)
  await page.shot('rendering-light')
  await page.is('completed')
  const shown = await page.run(() => window.shown)
  assert.deepEqual([...new Set(shown.map(([state]) => state))], ['idle', 'queued', 'rendering', 'completed'])
  const steps = shown.filter(([state]) => state === 'rendering').map(([, percent]) => percent)
  assert.ok(steps.some((percent) => percent > 0 && percent < 100), `steps of progress: ${steps}`)
  assert.deepEqual(steps, [...steps].sort((one, other) => one - other))

  assert.equal(await count(app, 'GET', 'video-status-stream'), 1)
  assert.equal(await count(app, 'GET', 'video-status'), 0)
  assert.equal(await count(app, 'POST', 'regenerate-video'), 1)

  const url = await page.run(() => document.querySelector('video').src)
  assert.ok(url.startsWith(`${app.url}/videos/`))
  await page.run(() => {
    const video = document.querySelector('video')
    video.muted = true
    return video.play()
  })
  await page.until(() => {
    const video = document.querySelector('video')
    return video.currentTime > 0.2 && video.readyState >= 2 && video.videoWidth > 0
  })
  const history = await page.history('complete')
  assert.deepEqual([history[0], history.at(-1)], ['complete', 'start'])
  assert.ok(history.length <= 4, `the steps are one line: ${history}`)
  await page.shot('completed-light')
  assert.deepEqual(app.logs, [])
})

test('a render that a page may not see, or that cannot begin, is said to be so', async (t) => {
  const app = await startApp(t, { env: { PATH: '/nowhere' } })
  const secret = await openPage(t, app.url, 'secret/ä 1')
  await secret.until(() => document.querySelector('[role=alert]')?.textContent === 'You are not allowed to see this render.')
  assert.equal(await secret.run(() => document.querySelectorAll('button').length), 0)
  const readonly = await openPage(t, app.url, 'readonly')
  await readonly.press('Render video')
  await readonly.until(() => document.querySelector('.video-render-notice').textContent === 'You are not allowed to do this.')
  const page = await openPage(t, app.url)
  await page.press('Render video')
  await page.is('failed')
  assert.match(await page.run(() => document.querySelector('.video-render-error').textContent), /ffmpeg/)
  await page.press('Try again')
  await page.until(() => document.querySelectorAll('.video-history li[data-event=fail]').length === 2)
})

test('the page is fit for the dark and for a telephone', async (t) => {
  const app = await startApp(t)
  const dark = await openPage(t, app.url, 'release 2.4', { dark: true })
  await dark.press('Render video')
  await dark.progressBeyond(20)
  await dark.shot('rendering-dark')
  const narrow = await openPage(t, app.url, 'release 2.4', { width: 360, height: 780 })
  await narrow.is('rendering')
  await narrow.shot('rendering-narrow')
  await narrow.is('completed')
  await narrow.history('complete')
  assert.equal(await narrow.isTooWide(), false)
  await narrow.shot('completed-narrow')
  await dark.is('completed')
  await dark.history('complete')
  await dark.shot('completed-dark')
  await dark.press('Render again')
  await dark.is('rendering')
  await dark.press('Cancel')
  await dark.history('cancel')
  await dark.shot('failed-dark')
})
