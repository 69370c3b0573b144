// The guide to moving an application (clients/README.md): what it says to write is checked and run.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { RenderStateClient } from '../../node/dist/index.js'
import { startApp, until } from './support/app.mjs'
import { buildFolder, esbuild, root, temporaryFolder } from './support/build.mjs'

const guide = readFileSync(join(root, '../README.md'), 'utf8')
/** The files that the guide shows, by their path. */
const files = new Map([...guide.matchAll(/```ts\n\/\/ (\S+)\n(.*?)```/gs)].map(([, path, text]) => [path, text]))

/** What a reader writes himself: a table of rows, in a file. */
const rowsModule = `
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Status } from 'renderstate'

export interface PatchNoteRow {
  readonly id: string
  readonly processingStatus: string | null
  readonly renderId: string | null
  readonly bucketName: string | null
  readonly videoUrl: string | null
  readonly error: string | null
}

const path = process.env.ROWS ?? 'rows.json'

export async function readRows(): Promise<PatchNoteRow[]> {
  return JSON.parse(readFileSync(path, 'utf8')) as PatchNoteRow[]
}

export async function saveRow({ id, processingStatus, renderId, bucketName, videoUrl, error }: Status): Promise<void> {
  const rows = (await readRows()).filter((row) => row.id !== id)
  writeFileSync(path + '.new', JSON.stringify([...rows, { id, processingStatus, renderId, bucketName, videoUrl, error }]))
  renameSync(path + '.new', path)
}
`

/** A folder with the guide's files, and a tsconfig that finds them and those of the overlay. */
function application() {
  const folder = buildFolder()
  for (const [path, text] of [...files, ['lib/patch-note-rows.ts', rowsModule]]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const { paths } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8').replace(/^\s*\/\/.*$/gm, '')).compilerOptions
  const found = { ...paths, '@/*': [`${folder}/*`, './*'] }
  const compilerOptions = { baseUrl: root, paths: found, jsx: 'react-jsx' }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['.'], exclude: [] }))
  return folder
}

/** A file of the application, built with the options of the guide. */
function built(folder, path) {
  const [, options] = /^npx esbuild scripts\/move-renders\.ts (.*) --outfile/m.exec(guide)
  const module = join(folder, path.replace(/\.ts$/, '.mjs'))
  esbuild([join(folder, path), ...options.replaceAll("'", '').split(' '), `--tsconfig=${folder}/tsconfig.json`, `--outfile=${module}`])
  return module
}

const row = (id, processingStatus, rest = {}) => ({
  id,
  processingStatus,
  renderId: null,
  bucketName: null,
  videoUrl: null,
  error: null,
  ...rest
})
const rows = [
  row('never', null),
  row('no-video', 'completed'),
  row('done', 'completed', { renderId: 'r1', bucketName: 'b', videoUrl: 'https://v.example/done.mp4' }),
  row('old', 'completed', { videoUrl: 'https://v.example/old.mp4' }),
  row('failed', 'failed', { renderId: 'r2', bucketName: 'b', error: 'out of memory' }),
  row('unsaid', 'failed'),
  row('queued', 'generating_video'),
  row('rendering', 'generating_video', { renderId: 'r3', bucketName: 'b' })
]

test('the files of the guide fit those of the overlay', () => {
  const folder = application()
  assert.equal(files.size, 4, [...files.keys()].join())
  const tsc = spawnSync('tsc', ['--project', folder], { encoding: 'utf8' })
  assert.equal(tsc.status, 0, tsc.stdout)
})

test('the rows of the column are moved once, also where that is repeated, and never over what is newer', async (t) => {
  const database = join(temporaryFolder(), 'renders.sqlite')
  const client = RenderStateClient.spawn({ database })
  t.after(() => client.close())
  const folder = application()
  const script = built(folder, 'scripts/move-renders.ts')
  const move = () => {
    writeFileSync(join(folder, 'rows.json'), JSON.stringify(rows))
    const env = { ...process.env, RENDERSTATE_DATABASE: database, ROWS: join(folder, 'rows.json') }
    const { status, stderr } = spawnSync(process.execPath, [script], { env, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return stderr
  }
  // The new version had it already, and it failed there.
  await client.transition('failed', 'start')
  await client.transition('failed', 'cancel')
  // A move that was interrupted after its first step.
  await client.transition('done', 'start', { idempotencyKey: 'move start' })
  assert.match(move(), /^failed stays failed: .*\n$/)
  const ids = rows.map(({ id }) => id)
  const found = async () =>
    (await client.getStatuses(ids, { fresh: true })).map(({ state, renderId, bucketName, videoUrl, error }) => [state, renderId, bucketName, videoUrl, error])
  assert.deepEqual(await found(), [
    ['idle', null, null, null, null],
    ['idle', null, null, null, null],
    ['completed', 'r1', 'b', 'https://v.example/done.mp4', null],
    ['completed', null, null, 'https://v.example/old.mp4', null],
    ['failed', null, null, null, 'Render cancelled'],
    ['failed', null, null, null, 'Render failed'],
    ['queued', null, null, null, null],
    ['rendering', 'r3', 'b', null, null]
  ])
  const { changes } = await client.getHistory('old')
  assert.deepEqual(changes.map(({ event, actor }) => [event, actor]), [['start', 'move-renders'], ['progress', 'move-renders'], ['complete', 'move-renders']])
  // What happens afterwards is not undone by a second move.
  await client.regenerate('done')
  await client.transition('unsaid', 'start')
  const { seq } = (await client.stats()).store
  move()
  assert.equal((await client.stats()).store.seq, seq)
})

test('the column follows the store, from what was there before', async (t) => {
  const folder = application()
  const env = { RENDERSTATE_DATABASE: join(folder, 'renders.sqlite'), ROWS: join(folder, 'rows.json') }
  writeFileSync(env.ROWS, JSON.stringify(rows))
  const client = RenderStateClient.spawn({ database: env.RENDERSTATE_DATABASE })
  t.after(() => client.close())
  await client.transition('never', 'start')
  const module = pathToFileURL(built(folder, 'lib/mirror-processing-status.ts'))
  const program = `import { mirrorProcessingStatus } from '${module}'; await mirrorProcessingStatus()`
  const mirror = spawn(process.execPath, ['--input-type=module', '--eval', program], { env: { ...process.env, ...env }, stdio: 'inherit' })
  t.after(() => mirror.kill('SIGKILL'))
  const column = () => JSON.parse(readFileSync(env.ROWS, 'utf8')).find(({ id }) => id === 'never')
  await until(() => column().processingStatus === 'generating_video')
  await client.transition('never', 'progress', { context: { renderId: 'r9' } })
  await client.transition('never', 'complete', { context: { videoUrl: 'https://v.example/never.mp4' } })
  await until(() => column().processingStatus === 'completed')
  assert.deepEqual(column(), row('never', 'completed', { renderId: 'r9', videoUrl: 'https://v.example/never.mp4' }))
})

test('without the program a route is 500, and the log names the binary that was not found', async (t) => {
  const app = await startApp(t, { env: { RENDERSTATE_BIN: '/nowhere/renderstate' } })
  assert.equal((await app.get('/api/patch-notes/7/video-status')).status, 500)
  await until(() => app.logs.some((line) => line.includes('binaryNotFound')))
})
