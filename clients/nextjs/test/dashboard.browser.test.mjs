import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDashboard } from './support/page.mjs'
import { startStudio } from './support/studio.mjs'

test('what is queued, rendering, failed and completed is shown as it becomes, over one stream', async (t) => {
  const { app, start, progress, complete, fail, count } = await startStudio(t)
  const page = await openDashboard(t, app.url)
  await page.until(() => document.querySelector('.dashboard-nothing')?.textContent.startsWith('There are no renders yet.'))
  await page.shot('dashboard-empty')
  await start('teaser')
  assert.match(await page.shows('teaser', 'queued'), /^teaser Queued just now$/)
  await progress('teaser', 12.7)
  assert.match(await page.shows('teaser', 'rendering'), /^teaser Rendering 12 % just now$/)
  await progress('teaser', 60)
  await page.until(() => document.querySelector('[data-render=teaser]').textContent.includes('60 %'))
  for (const id of ['b', 'a']) {
    await start(id)
    await progress(id, 1)
  }
  await page.shows('a', 'rendering')
  await progress('teaser', 61)
  await fail('a', 'Rate limit exceeded')
  assert.match(await page.shows('a', 'failed'), /^a Failed just now Rate limit exceeded$/)
  assert.deepEqual(await page.ids('rendering'), ['teaser', 'b'], 'progress does not move a row')
  await complete('teaser')
  await page.shows('teaser', 'completed')
  assert.deepEqual(await page.counts(), { All: '3', Stuck: '0', Rendering: '1', Queued: '0', Failed: '1', Completed: '1' })
  await page.click('#dashboard-failed')
  await page.until(() => document.querySelectorAll('[data-render]').length === 1)
  await page.click('#dashboard-queued')
  await page.until(() => document.querySelector('.dashboard-nothing')?.textContent === 'Nothing is queued.')
  assert.equal(await count('video-dashboard-stream'), 1)
  assert.deepEqual(app.logs, [])
})

test('a click opens the history, and a render is cancelled and tried again there', async (t) => {
  const { app, start, progress, state, count } = await startStudio(t)
  await start('teaser')
  await progress('teaser', 40)
  const page = await openDashboard(t, app.url)
  await page.shows('teaser', 'rendering')
  await page.open('teaser')
  await page.until(() => document.querySelectorAll('dialog .video-history li').length === 2)
  await page.shot('dashboard-dialog')
  await page.press('Cancel')
  await page.until(() => document.querySelector('dialog .video-history li')?.dataset.event === 'cancel')
  await page.until(() => document.querySelector('dialog .video-render-error')?.textContent === 'Render cancelled')
  await page.press('Try again')
  await page.shows('teaser', 'rendering')
  await page.until(() => document.querySelector('.dashboard-dialog-state').textContent === 'Rendering run 1, attempt 2')
  await page.press('Cancel')
  await page.shows('teaser', 'failed')
  assert.equal(await state('teaser'), 'failed')
  assert.equal(await count('video-dashboard-stream'), 1)
  assert.deepEqual(app.logs, [])
})

test('the keyboard does all of it, and comes back to where it was', async (t) => {
  const { app, start, progress } = await startStudio(t)
  await start('one')
  await start('two')
  const page = await openDashboard(t, app.url)
  await page.shows('two', 'queued')
  await page.run(() => document.querySelector('#dashboard-all').focus())
  // The five other tiles, and the second row.
  await page.type(...Array(7).fill('Tab'))
  assert.equal(await page.run(() => document.activeElement.dataset.render), 'two')
  await page.type('Enter')
  await page.until(() => document.querySelector('dialog .video-render-primary'))
  // Behind it nothing is reached.
  for (let presses = 0; presses < 8; presses++) {
    await page.type('Tab')
    assert.ok(await page.run(() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null))
  }
  // It moves to another group meanwhile.
  await progress('two', 5)
  await page.shows('two', 'rendering')
  await page.type('Escape')
  await page.until(() => document.querySelector('dialog') === null)
  assert.equal(await page.run(() => document.activeElement.dataset.render), 'two')
})

test('what authorize does not let a user do has no button', async (t) => {
  const { app, start, count } = await startStudio(t)
  await start('readonly')
  await start('secret')
  const page = await openDashboard(t, app.url)
  await page.shows('readonly', 'queued')
  for (const [id, said] of [['readonly', 'start'], ['secret', 'The history cannot be shown right now.']]) {
    const before = await count('[id]/video-actions')
    await page.open(id)
    await page.until((text) => document.querySelector('dialog .video-history')?.innerText.includes(text), said)
    await page.until(async (seen) => {
      const counts = await (await fetch('/_test/requests')).json()
      return counts['GET /api/patch-notes/[id]/video-actions'] > seen
    }, before)
    assert.equal(await page.run(() => document.querySelectorAll('dialog .video-render-primary').length), 0, id)
    await page.click('.dashboard-close')
    await page.until(() => document.querySelector('dialog') === null)
  }
})

test('the dashboard is fit for the dark, for a telephone, and for long ids and errors', async (t) => {
  const { app, start, progress, complete, fail } = await startStudio(t)
  const long = `release-${'2.4-'.repeat(40)}final`
  const error = `${'A very long report of what went wrong in the renderer. '.repeat(30)}\n${'x'.repeat(400)}`
  for (const id of [long, 'intro', 'teaser', 'credits', 'outro', 'трейлер 🎬', 'trailer']) await start(id)
  for (const [index, id] of [long, 'intro', 'teaser', 'trailer', 'outro'].entries()) await progress(id, 17 * (index + 1))
  await complete('outro')
  await fail('credits', error)
  await fail('trailer', 'Rate limit exceeded')
  await start('trailer')
  await progress('trailer', 3)
  const devices = { light: {}, dark: { dark: true }, narrow: { width: 360, height: 780 }, 'narrow-dark': { width: 360, height: 780, dark: true } }
  for (const [name, device] of Object.entries(devices)) {
    const page = await openDashboard(t, app.url, device)
    await page.shows('outro', 'completed')
    assert.equal(await page.isTooWide(), false, name)
    assert.deepEqual(await page.faintTexts(), [], name)
    await page.shot(`dashboard-${name}`)
    await page.open('credits')
    await page.until(() => document.querySelector('dialog .video-history li') && document.querySelector('dialog .video-render-primary'))
    assert.equal(await page.run(() => document.querySelector('dialog .video-render-error').textContent), error, 'all of it')
    assert.equal(await page.run(() => document.querySelector('dialog').scrollWidth > document.querySelector('dialog').clientWidth), false, name)
    assert.deepEqual(await page.faintTexts(), [], name)
    await page.shot(`dashboard-dialog-${name}`)
    await page.click('.dashboard-close')
    await page.open(long)
    await page.until(() => document.querySelector('dialog .video-history li'))
    await page.shot(`dashboard-dialog-long-${name}`)
  }
})
