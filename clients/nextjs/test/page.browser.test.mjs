import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openBrowser } from '../../node/test/support/browser.mjs'
import { until } from '../../node/test/support/sidecar.mjs'
import { startApp } from './support/app.mjs'

const browser = await openBrowser({ after })
const screenshots = fileURLToPath(new URL('../.cache/screenshots', import.meta.url))
const route = '/api/patch-notes/[id]'

/** The page of a patch note in a tab of its own. */
async function openPage(t, url, id = '7', device = {}) {
  const tab = await browser.open(t, 'about:blank')
  await tab.emulate({ width: 900, ...device })
  await tab.go(`${url}/patch-notes/${encodeURIComponent(id)}`)
  return {
    ...tab,
    state: () => tab.run(() => document.querySelector('.video-render')?.dataset.state),
    is: (state) => tab.until((wanted) => document.querySelector('.video-render')?.dataset.state === wanted, state),
    /** The button with this text, as soon as it can be clicked. */
    press: async (text) => {
      await tab.until((wanted) => {
        const button = document.querySelector('.video-render-actions button')
        return button?.textContent === wanted && !button.disabled
      }, text)
      await tab.click('.video-render-actions button')
    },
    progressBeyond: (least) => tab.until((than) => Number(document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')) > than, least),
    /** The history as lines of text, newest first, once it has one of this event. */
    history: (event) =>
      tab.until((wanted) => {
        const lines = [...document.querySelectorAll('.video-history li')]
        return lines.some((line) => line.dataset.event === wanted) && lines.map((line) => line.dataset.event)
      }, event),
    /** A picture of the page at rest, to look at. */
    shot: async (name) => {
      await tab.until(() => document.getAnimations().every(({ playState }) => playState !== 'running'))
      await tab.screenshot(join(screenshots, `${name}.png`))
    }
  }
}

/** From now on `shown` in the page has each state that it shows, with the percent of the progress. */
async function watchShown(page) {
  await page.run(() => {
    window.shown = []
    const note = () => {
      const state = document.querySelector('.video-render')?.dataset.state
      const percent = Number(document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow') ?? 0)
      const last = window.shown.at(-1)
      if (!last || last[0] !== state || last[1] !== percent) window.shown.push([state, percent])
    }
    note()
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true })
  })
}

/** The processes of ffmpeg that write into this folder. */
function encoders(folder) {
  return readdirSync('/proc').filter((pid) => {
    try {
      const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return program.endsWith('ffmpeg') && args.some((arg) => arg.includes(folder))
    } catch {
      // No process, or one that has ended.
      return false
    }
  })
}

const count = async (app, method, path) => (await app.requests())[`${method} ${route}/${path}`] ?? 0

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

/**
 * What stands between browser and application. `cut` ends all connections and lets none in until `mend`; `hold` keeps back
 * what the browser sends until `release`.
 */
async function cable(t, target) {
  const fromBrowser = new Set()
  let isCut = false
  let isHeld = false
  const server = createServer((socket) => {
    if (isCut) return socket.destroy()
    const onward = connect(new URL(target).port, '127.0.0.1')
    fromBrowser.add(socket)
    socket.pipe(onward).pipe(socket)
    if (isHeld) socket.pause()
    for (const [one, other] of [[socket, onward], [onward, socket]]) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
    socket.on('close', () => fromBrowser.delete(socket))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    isCut = true
    for (const socket of fromBrowser) socket.destroy()
  }
  t.after(() => {
    cut()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut,
    mend: () => {
      isCut = false
    },
    hold: () => {
      isHeld = true
      for (const socket of fromBrowser) socket.pause()
    },
    release: () => {
      isHeld = false
      for (const socket of fromBrowser) socket.resume()
    }
  }
}

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

test('a render that a page may not see, or that cannot begin, is said to be so', async (t) => {
  const app = await startApp(t, { env: { PATH: '/nowhere' } })
  const secret = await openPage(t, app.url, 'secret/ä 1')
  await secret.until(() => document.querySelector('[role=alert]')?.textContent === 'You are not allowed to see this render.')
  assert.equal(await secret.run(() => document.querySelectorAll('button').length), 0)
  const page = await openPage(t, app.url)
  await page.press('Render video')
  await page.is('failed')
  assert.match(await page.run(() => document.querySelector('.video-render-error').textContent), /ffmpeg/)
  await page.press('Try again')
  await until(async () => (await count(app, 'POST', 'regenerate-video')) === 2)
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
  const { scrollWidth, clientWidth } = await narrow.run(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    return { scrollWidth, clientWidth }
  })
  assert.equal(scrollWidth, clientWidth, 'nothing is wider than the window')
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
