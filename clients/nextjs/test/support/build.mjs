// Builds the overlay with Debian's esbuild, as Next.js would: each route, page and client component.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
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

const production = '--define:process.env.NODE_ENV="production"'

const esModules = ['--format=esm', '--out-extension:.js=.mjs', `--banner:js=${requireBanner}`]
const forNode = ['--platform=node', '--target=node20', '--jsx=automatic', ...esModules]

const folders = []
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A new folder that is gone when this process ends, and with it all that writes into it. */
export function temporaryFolder(parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, 'renderstate-next-'))
  folders.push(folder)
  return folder
}

/** A folder for what is built: within the overlay, where imports are looked for upwards. */
export function buildFolder() {
  mkdirSync(cache, { recursive: true })
  return temporaryFolder(cache)
}

/** The overlay's files below `folder` whose path fits. */
export function sources(folder, pattern) {
  return readdirSync(join(root, folder), { recursive: true })
    .map((path) => join(folder, path).split(sep).join('/'))
    .filter((path) => pattern.test(path))
    .sort()
}

/** What takes the place of a file of the overlay. */
const replacements = {
  authorize: { '@/lib/authorize': ['./test/support/authorize'] },
  lambda: { '@/lib/video-renderer': ['./test/lambda/video-renderer'] }
}

/**
 * Where a build finds its imports. `shipped`: with the overlay's own authorize, else the test's. `lambda`: with the README's lines
 * for Remotion Lambda, else the renderer by ffmpeg.
 */
function configure(folder, { shipped = false, lambda = false }) {
  const paths = {
    ...(!shipped && replacements.authorize),
    ...(lambda && replacements.lambda),
    '@remotion/lambda/client': ['./test/lambda/remotion-lambda-client'],
    '@/*': ['./*'],
    renderstate: ['../node/dist/index'],
    'renderstate/*': ['../node/dist/*', '../node/dist/*/index']
  }
  const path = join(folder, 'tsconfig.json')
  writeFileSync(path, JSON.stringify({ compilerOptions: { baseUrl: root, paths, jsx: 'react-jsx' } }))
  return `--tsconfig=${path}`
}

/**
 * The whole application, in a folder: each `route.mjs` and `page.mjs` at its path, `instrumentation.mjs`, and for the
 * browser `client.js`.
 */
export function buildApp(options = {}) {
  const folder = buildFolder()
  const tsconfig = configure(folder, options)
  const common = [...forNode, tsconfig, '--outbase=.', `--outdir=${folder}`]
  // Without sharing: Next.js, too, has a module graph for each of them. The videos are those of ffmpeg.
  const routes = sources('app', /(^|\/)route\.ts$/).filter((path) => !options.lambda || !path.startsWith('app/videos/'))
  esbuild([...common, ...routes, 'instrumentation.ts'])
  const pages = sources('app', /(^|\/)page\.tsx$/)
  if (pages.length === 0) return folder
  // With sharing, so that a client component that a page shows is known to be one.
  const clients = sources('app', /\.tsx$/).filter(isClientComponent)
  esbuild([...common, '--splitting', production, ...pages, ...clients, 'test/support/react-server.tsx'])
  const imports = clients.map((path, index) => `import * as c${index} from './${path}'`)
  const table = clients.map((path, index) => `${JSON.stringify(path)}: c${index}`)
  const entry = [...imports, "import { hydrate } from './test/support/hydrate'", `hydrate({ ${table.join(', ')} })`].join('\n')
  const browser = ['--platform=browser', '--format=iife', '--jsx=automatic', production]
  esbuild([...browser, tsconfig, '--loader=tsx', '--sourcefile=client.tsx', `--outfile=${folder}/client.js`], entry)
  return folder
}

/** One module with all it imports, as a path that Node can import. */
export function buildModule(path, options = {}) {
  const folder = buildFolder()
  esbuild([...forNode, configure(folder, options), `--outdir=${folder}`, '--entry-names=module', path])
  return join(folder, 'module.mjs')
}

function isClientComponent(path) {
  return /^\s*['"]use client['"]/.test(readFileSync(join(root, path), 'utf8'))
}

/** The path that a built file has in the application, such as `app/page`. */
export function appPath(folder, file) {
  return relative(folder, file).split(sep).join('/').replace(/\.mjs$/, '')
}
