// The pages in Chromium, and what is behind them.
import { readFileSync, readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openBrowser } from '../../../node/test/support/browser.mjs'

const browser = await openBrowser({ after })
const screenshots = fileURLToPath(new URL('../../.cache/screenshots', import.meta.url))

/** A page in a tab of its own. */
async function openTab(t, address, device) {
  const tab = await browser.open(t, 'about:blank')
  await tab.emulate({ width: 900, ...device })
  await tab.go(address)
  return {
    ...tab,
    /** Whether something is wider than the window. */
    isTooWide: () => tab.run(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
    /** A picture of the page at rest, to look at. */
    shot: async (name) => {
      await tab.until(() => document.getAnimations().every(({ playState }) => playState !== 'running'))
      await tab.screenshot(join(screenshots, `${name}.png`))
    }
  }
}

/** The page of a patch note. */
export async function openPage(t, url, id = '7', device = {}) {
  const tab = await openTab(t, `${url}/patch-notes/${encodeURIComponent(id)}`, device)
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
      }, event)
  }
}

/** The dashboard. */
export async function openDashboard(t, url, device = {}) {
  const tab = await openTab(t, `${url}/video-dashboard`, { width: 1100, ...device })
  return {
    ...tab,
    is: (connection) => tab.until((wanted) => document.querySelector('.video-render-connection')?.dataset.connection === wanted, connection),
    /** Waits until the render is shown in this group, and returns the text of its row. */
    shows: (id, group) =>
      tab.until((...wanted) => {
        const row = document.querySelector(`[data-render="${CSS.escape(wanted[0])}"]`)
        // Not its innerText: a row out of sight has none.
        return row?.dataset.group === wanted[1] && row.textContent.replace(/\s+/g, ' ').trim()
      }, id, group),
    /** The ids of a group, in the order in which they are shown. */
    ids: (group) => tab.run((wanted) => [...document.querySelectorAll(`[data-render][data-group=${wanted}]`)].map((row) => row.dataset.render), group),
    /** What the tiles say. */
    counts: () =>
      tab.run(() => Object.fromEntries([...document.querySelectorAll('.dashboard-tiles button')].map(({ innerText }) => innerText.split('\n').reverse()))),
    open: async (id) => {
      await tab.click(`[data-render="${id}"]`)
      await tab.until(() => document.querySelector('dialog')?.open === true)
    },
    /** The button of the dialog with this text, as soon as it can be clicked. */
    press: async (text) => {
      await tab.until((wanted) => {
        const button = document.querySelector('dialog .video-render-primary')
        return button?.textContent === wanted && !button.disabled
      }, text)
      await tab.click('dialog .video-render-primary')
    },
    /** Texts that stand out too little from what is behind them: by WCAG 2, less than 4.5 to 1. */
    faintTexts: () => tab.run(faintTexts)
  }
}

/** Runs in the page. */
function faintTexts() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }
  const luminance = (color) => {
    const [red, green, blue] = rgba(color).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const { backgroundColor } = getComputedStyle(one)
      if (rgba(backgroundColor)[3] === 255) return backgroundColor
    }
    return 'white'
  }
  const faint = []
  for (const element of document.querySelectorAll('main *')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== '')
    if (!hasText || !element.checkVisibility()) continue
    const [light, dark] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((one, other) => other - one)
    if ((light + 0.05) / (dark + 0.05) < 4.5) faint.push(element.textContent)
  }
  return faint
}

/** From now on `shown` in the page has each state that it shows, with the percent of the progress. */
export async function watchShown(page) {
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
export function encoders(folder) {
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

/** How many requests a route of the render has got. */
export async function count(app, method, path) {
  return (await app.requests())[`${method} /api/patch-notes/[id]/${path}`] ?? 0
}

/**
 * What stands between browser and application. `cut` ends all connections and lets none in until `mend`; `hold` keeps back
 * what the browser sends until `release`.
 */
export async function cable(t, target) {
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
