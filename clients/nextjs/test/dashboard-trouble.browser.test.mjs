import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startApp } from './support/app.mjs'
import { cable, openDashboard } from './support/page.mjs'
import { startStudio } from './support/studio.mjs'

test('a render without an event for ten minutes is stuck, by the clock of the server', async (t) => {
  const { app, start, progress } = await startStudio(t)
  await start('silent')
  await start('loud')
  const page = await openDashboard(t, app.url)
  await page.shows('loud', 'queued')
  await page.run(() => {
    const { now } = Date
    Date.now = () => now() + 11 * 60_000
  })
  assert.match(await page.shows('silent', 'stuck'), /^silent Stuck, queued 11 min ago$/)
  await page.shot('dashboard-stuck')
  // What the server says next tells that it is the device whose clock is wrong.
  await progress('loud', 3)
  await page.shows('loud', 'rendering')
  await page.shows('silent', 'queued')
})

test('a dashboard that is cut off says so, and catches up', async (t) => {
  const { app, start, progress } = await startStudio(t)
  const { url, cut, mend } = await cable(t, app.url)
  await start('a')
  const page = await openDashboard(t, url)
  await page.is('live')
  await page.shows('a', 'queued')
  cut()
  await page.is('lost')
  await page.until(() => document.querySelector('.dashboard-lost p')?.textContent.includes('may be out of date'))
  await page.shows('a', 'queued')
  await page.shot('dashboard-lost')
  await progress('a', 30)
  await start('b')
  mend()
  await page.click('.dashboard-lost button')
  await page.is('live')
  assert.match(await page.shows('a', 'rendering'), /30 %/)
  await page.shows('b', 'queued')
  await page.until(() => document.querySelector('.dashboard-lost') === null)
})

test('who is no operator is told so, and a store that cannot be had is tried again', async (t) => {
  const { app } = await startStudio(t)
  const page = await openDashboard(t, app.url)
  await page.is('live')
  await page.run(() => {
    document.cookie = 'visitor=1; path=/'
  })
  await page.go(`${app.url}/video-dashboard`)
  await page.until(() => document.querySelector('[role=alert]')?.textContent === 'You are not allowed to see the dashboard.')
  await page.shot('dashboard-refused')
  assert.equal(await page.run(() => document.querySelectorAll('button, input').length), 0)
  await page.run(() => {
    document.cookie = 'visitor=; path=/; max-age=0'
  })

  const broken = await startApp(t, { env: { RENDERSTATE_DATABASE: '/nowhere/renders.sqlite' } })
  const other = await openDashboard(t, broken.url)
  await other.until(() => document.querySelector('.dashboard-lost p')?.textContent === 'There is no connection to the server. It is tried again by itself.')
  await other.until(async () => {
    const counts = await (await fetch('/_test/requests')).json()
    return counts['GET /api/patch-notes/video-dashboard-stream'] >= 3
  })
})

test('of a thousand renders each change draws one row anew, and one is found by its id', async (t) => {
  const { app, start, progress, count } = await startStudio(t)
  const ids = Array.from({ length: 1000 }, (_, index) => `patch note ${index}`)
  await Promise.all(ids.map(start))
  await Promise.all(ids.map((id, index) => progress(id, index % 100)))
  const page = await openDashboard(t, app.url)
  await page.shows('patch note 0', 'rendering')
  assert.equal((await page.ids('rendering')).length, 20)
  await page.shot('dashboard-many')
  await page.click('.dashboard-all')
  await page.until(() => document.querySelectorAll('[data-render]').length === 1000)
  assert.equal(await page.run(() => document.activeElement.id), 'dashboard-rendering')
  await page.run(() => {
    window.drawn = new Set()
    const note = (records) => {
      for (const { target } of records) {
        const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target
        // How long ago that was changes by itself.
        if (!element.closest('time')) window.drawn.add(element.closest('[data-render]').dataset.render)
      }
    }
    const list = document.querySelector('.dashboard-group ul')
    new MutationObserver(note).observe(list, { subtree: true, characterData: true, childList: true, attributes: true })
  })
  await progress('patch note 500', 99.5)
  await page.until(() => window.drawn.has('patch note 500'))
  assert.deepEqual(await page.run(() => [...window.drawn]), ['patch note 500'])
  await page.click('input[type=search]')
  await page.type(...'note 77')
  await page.until(() => document.querySelectorAll('[data-render]').length === 11)
  assert.equal((await page.ids('rendering'))[0], 'patch note 77')
  await page.type('x')
  await page.until(() => document.querySelector('.dashboard-nothing')?.textContent === 'No render shown here has such an id.')
  assert.equal(await count('video-dashboard-stream'), 1)
})
