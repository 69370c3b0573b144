// Starts the application, or loads a part of it, each with a database of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildApp, buildModule, temporaryFolder } from './build.mjs'

const serverProgram = fileURLToPath(new URL('next-server.mjs', import.meta.url))
const built = new Map()

/** What the lines for Remotion Lambda read. */
export const lambdaEnvironment = {
  AWS_REGION: 'eu-central-1',
  REMOTION_APP_FUNCTION_NAME: 'remotion-render',
  REMOTION_APP_SERVE_URL: 'https://site.example',
  REMOTION_WEBHOOK_URL: 'https://studio.example/api/webhooks/remotion',
  REMOTION_WEBHOOK_SECRET: 'quiet'
}

function buildOnce(key, build) {
  if (!built.has(key)) built.set(key, build())
  return built.get(key)
}

/**
 * The application in a process of its own; `shipped` and `lambda` are those of `build.mjs`. `get` and `post` ask it (a POST as a
 * page of its own does), `requests()` counts what each route got, `lambdaCalls()` are those of the stand-in, `logs` fills with
 * what it writes to stderr, and `stop` ends it.
 */
export async function startApp(t, { shipped = false, lambda = false, folder = temporaryFolder(), env = {} } = {}) {
  const app = buildOnce(`app ${shipped} ${lambda}`, () => buildApp({ shipped, lambda }))
  const videos = join(folder, 'videos')
  const database = join(folder, 'renders.sqlite')
  const child = spawn(process.execPath, [serverProgram, app], {
    env: { ...process.env, RENDERSTATE_DATABASE: database, VIDEO_FOLDER: videos, ...(lambda && lambdaEnvironment), ...env },
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe']
  })
  const ended = once(child, 'close')
  const stop = async (signal = 'SIGKILL') => {
    child.kill(signal)
    await ended
  }
  t.after(() => stop())
  const logs = []
  createInterface({ input: child.stderr }).on('line', (line) => logs.push(line))
  const lines = createInterface({ input: child.stdout })
  const url = await Promise.race([
    once(lines, 'line').then(([line]) => line),
    ended.then(() => {
      throw new Error(`the application has ended:\n${logs.join('\n')}`)
    })
  ])
  const ask = (path, init) => fetch(`${url}${path}`, init)
  return {
    url,
    folder,
    videos,
    database,
    logs,
    stop,
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, { headers = { Origin: url }, body } = {}) => ask(path, { method: 'POST', headers, body }),
    ask,
    requests: async () => (await ask('/_test/requests')).json(),
    lambdaCalls: async () => (await ask('/_test/lambda')).json()
  }
}

/** Waits until the condition holds. Fails after 20 s. */
export async function until(condition, what = String(condition)) {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

let loaded = 0

/**
 * Everything of `lib/` with Remotion Lambda, in this process: `test/support/overlay.ts` as a module of its own. `calls` are those
 * of the stand-in; `copy` is the same evaluated once more, as Next.js does for each route.
 */
export async function loadOverlay(t, { env = {} } = {}) {
  const path = buildOnce('overlay', () => buildModule('test/support/overlay.ts', { lambda: true }))
  const variables = { RENDERSTATE_DATABASE: join(temporaryFolder(), 'renders.sqlite'), ...lambdaEnvironment, ...env }
  const before = Object.keys(variables).map((name) => [name, process.env[name]])
  Object.assign(process.env, variables)
  loaded += 1
  const overlay = await import(`${pathToFileURL(path).href}?${loaded}`)
  const copy = await import(`${pathToFileURL(path).href}?copy-of-${loaded}`)
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  overlay.calls.length = 0
  t.after(async () => {
    await overlay.poller.stop()
    delete globalThis[Symbol.for('app.renderPoller')]
    await Promise.all([overlay.client.close(), copy.client.close()])
  })
  return { ...overlay, copy }
}
