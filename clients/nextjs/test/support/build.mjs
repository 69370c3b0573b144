// Builds the overlay with Debian's esbuild, as Next.js would: each route, page and client component.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, '.cache')

/** Of a bundle in ESM that holds packages in CommonJS. */
const requireBanner = "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

/** Runs esbuild; what it complains about is an error. */
export function esbuild(args, input) {
  const result = spawnSync('esbuild', ['--bundle', '--log-level=warning', ...args], {
    cwd: root,
    encoding: 'utf8',
    // Where Debian has React.
    env: { ...process.env, NODE_PATH: [process.env.NODE_PATH, '/usr/share/nodejs'].filter(Boolean).join(':') },
    ...(input !== undefined && { input })
  })
  if (result.error || result.status !== 0 || result.stderr !== '') throw new Error(result.stderr || String(result.error))
}

const forNode = ['--platform=node', '--format=esm', '--target=node20', '--jsx=automatic', `--banner:js=${requireBanner}`, '--out-extension:.js=.mjs']

/** A folder for what is built, gone when this process ends. */
export function buildFolder() {
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'build-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The overlay's files below `folder` whose path fits. */
export function sources(folder, pattern) {
  return readdirSync(join(root, folder), { recursive: true })
    .map((path) => join(folder, path).split(sep).join('/'))
    .filter((path) => pattern.test(path))
    .sort()
}

/**
 * The whole application, in a folder: each `route.mjs` and `page.mjs`, `instrumentation.mjs`, and for the browser
 * `client.js`. With `shipped`, authorize is the overlay's own.
 */
export function buildApp({ shipped = false } = {}) {
  const folder = buildFolder()
  const tsconfig = `--tsconfig=${shipped ? 'tsconfig.json' : 'test/support/tsconfig.json'}`
  const common = [...forNode, tsconfig, '--outbase=.', `--outdir=${folder}`]
  // Without sharing: Next.js, too, has a module graph for each of them.
  const routes = sources('app', /(^|\/)route\.ts$/)
  esbuild([...common, ...routes, ...sources('.', /^instrumentation\.ts$/)])
  const pages = sources('app', /(^|\/)page\.tsx$/)
  if (pages.length === 0) return folder
  // With sharing, so that a client component that a page shows is known to be one.
  const clients = sources('app', /\.tsx$/).filter(isClientComponent)
  const server = 'test/support/react-server.tsx'
  esbuild([...common, '--splitting', '--define:process.env.NODE_ENV="production"', ...pages, ...clients, server])
  const imports = clients.map((path, index) => `import * as c${index} from './${path}'`)
  const table = clients.map((path, index) => `${JSON.stringify(path)}: c${index}`)
  const entry = [...imports, "import { hydrate } from './test/support/hydrate'", `hydrate({ ${table.join(', ')} })`].join('\n')
  const browser = ['--platform=browser', '--format=iife', '--jsx=automatic', '--define:process.env.NODE_ENV="production"']
  esbuild([...browser, tsconfig, '--loader=tsx', '--sourcefile=client.tsx', `--outfile=${folder}/client.js`], entry)
  return folder
}

/** One module of the overlay with all it imports, as a path that Node can import. */
export function buildModule(path, { shipped = false } = {}) {
  const outfile = join(buildFolder(), 'module.mjs')
  const tsconfig = `--tsconfig=${shipped ? 'tsconfig.json' : 'test/support/tsconfig.json'}`
  esbuild([...forNode.slice(0, -1), tsconfig, `--outfile=${outfile}`, path])
  return outfile
}

function isClientComponent(path) {
  return /^\s*['"]use client['"]/.test(readFileSync(join(root, path), 'utf8'))
}

/** The path that a built file has in the application, such as `app/page`. */
export function appPath(folder, file) {
  return relative(folder, file).split(sep).join('/').replace(/\.mjs$/, '')
}
