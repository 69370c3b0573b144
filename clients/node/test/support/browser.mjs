// Drives headless Chromium by WebDriver, which is JSON over HTTP.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { until } from './sidecar.mjs'

/** WebDriver's name of what refers to an element. */
const elementKey = 'element-6066-11e4-a52e-4f735466cecf'

/** WebDriver's characters for keys that have none. */
const keys = { Tab: '\uE004', Enter: '\uE007', Escape: '\uE00C' }

/** A browser of its own, gone after the test; or after all tests of a file, as `openBrowser({ after })`. */
export async function openBrowser(t) {
  const driver = await startDriver()
  const profile = mkdtempSync(join(tmpdir(), 'renderstate-browser-'))
  let quit = () => null
  t.after(async () => {
    await quit()
    await driver.end()
    // What remains of a browser that was not quit may still write.
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })
  // Debugged by a pipe, so that the browser ends with the driver, however that ends.
  const args = ['headless=new', 'no-sandbox', 'disable-dev-shm-usage', 'mute-audio', 'remote-debugging-pipe', `user-data-dir=${profile}`]
  const { sessionId } = await driver.send('POST', '/session', {
    capabilities: { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': { args } } }
  })
  const session = (method, path, body) => driver.send(method, `/session/${sessionId}${path}`, body)
  // Waits for the browser's end.
  quit = () => session('DELETE', '').catch(() => null)
  // The window that comes with the browser stays, as the last one cannot be closed.
  const first = await session('GET', '/window')
  let shown = first

  /** A tab at this address, closed after the test. The browser shows the tab that was used last. */
  const open = async (t, url) => {
    if (shown === null) await session('POST', '/window', { handle: first })
    const { handle } = await session('POST', '/window/new', { type: 'tab' })
    const inTab = async (method, path, body) => {
      if (shown !== handle) await session('POST', '/window', { handle })
      shown = handle
      return session(method, path, body)
    }
    /** What the function returns in the page, or what its promise does. The arguments reach it as JSON. */
    const run = (code, ...args) => inTab('POST', '/execute/sync', { script: `return (${code})(...arguments)`, args })
    const devtools = (cmd, params) => inTab('POST', '/goog/cdp/execute', { cmd, params })
    const tab = {
      run,
      go: (to) => inTab('POST', '/url', { url: to }),
      /** Waits until the function gives something true in the page, and returns it. */
      until: (code, ...args) => until(() => run(code, ...args), `${code} of ${JSON.stringify(args)}`),
      /** As a user does, so it has to be there and in sight. */
      click: async (css) => {
        const element = await inTab('POST', '/element', { using: 'css selector', value: css })
        await inTab('POST', `/element/${element[elementKey]}/click`, {})
      },
      /** Presses keys, one after the other: characters, or names such as `Tab`. */
      type: (...names) => {
        const actions = names.flatMap((name) => ['keyDown', 'keyUp'].map((type) => ({ type, value: keys[name] ?? name })))
        return inTab('POST', '/actions', { actions: [{ type: 'key', id: 'keyboard', actions }] })
      },
      /** What the page sees of the user's device. */
      emulate: async ({ width, height = 900, dark = false }) => {
        await devtools('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] })
        await devtools('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
      },
      /** A picture of what is in sight, as PNG. */
      screenshot: async (path) => {
        mkdirSync(dirname(path), { recursive: true })
        writeFileSync(path, Buffer.from(await inTab('GET', '/screenshot'), 'base64'))
      }
    }
    t.after(async () => {
      await inTab('DELETE', '/window')
      shown = null
    })
    await tab.go(url)
    return tab
  }
  return { open }
}

/** A process that takes commands with `send`, until `end`. */
async function startDriver() {
  // The shell ends the driver when its stdin does, so also when the tests are killed.
  const guard = 'chromedriver --port=0 --log-level=SEVERE & driver=$!; cat >/dev/null; kill $driver; wait $driver'
  const child = spawn('sh', ['-c', guard], { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const port = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, found] = / started successfully on port ([0-9]+)/.exec(line) ?? []
      if (found) resolve(found)
    })
    void ended.then(() => reject(new Error('chromedriver has ended')))
  })
  return {
    send: async (method, path, body) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body && { body: JSON.stringify(body) }) })
      const { value } = await response.json()
      if (!response.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`)
      return value
    },
    end: () => {
      child.stdin.end()
      return ended
    }
  }
}
