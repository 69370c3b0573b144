import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { findBinary } from '../dist/find-binary.js'
import { RenderStateClient } from 'renderstate'
import { initializedSource, isRunning, madeUpSidecar, open, temporaryFolder, until } from './support/sidecar.mjs'

const binary = process.env.RENDERSTATE_BIN

test('the binary is the option, else RENDERSTATE_BIN, else on PATH, else the release build above the package', async (t) => {
  const folder = temporaryFolder(t)
  symlinkSync(binary, join(folder, 'renderstate'))
  symlinkSync(binary, join(folder, 'other'))
  const environment = { PATH: `/nowhere:${folder}`, RENDERSTATE_BIN: join(folder, 'other') }
  assert.equal(findBinary(binary, environment), binary)
  assert.equal(findBinary('renderstate', environment), join(folder, 'renderstate'))
  assert.equal(findBinary(undefined, environment), join(folder, 'other'))
  assert.equal(findBinary(undefined, { PATH: environment.PATH }), join(folder, 'renderstate'))
  // A checkout of its own, as the one that this package lies in may have no build.
  const place = join(folder, 'clients/node')
  cpSync(new URL('../dist', import.meta.url), join(place, 'dist'), { recursive: true })
  cpSync(new URL('../package.json', import.meta.url), join(place, 'package.json'))
  const copy = await import(pathToFileURL(join(place, 'dist/find-binary.js')).href)
  assert.throws(() => copy.findBinary(undefined, {}), { kind: 'binaryNotFound' })
  mkdirSync(join(folder, '.build/release'), { recursive: true })
  symlinkSync(binary, join(folder, '.build/release/renderstate'))
  assert.equal(copy.findBinary(undefined, {}), join(folder, '.build/release/renderstate'))
})

test('a binary that is not there is an error that says how to build it, and not before the first request', async (t) => {
  const folder = temporaryFolder(t)
  const { client } = open(t, { command: join(folder, 'nothing') })
  for (const request of [client.getStatus('a'), client.transition('a', 'start'), client.watch('a').next()]) {
    await assert.rejects(request, (error) => error.kind === 'binaryNotFound' && /swift build -c release/.test(error.message))
  }
  assert.throws(() => findBinary(undefined, { RENDERSTATE_BIN: folder }), { kind: 'binaryNotFound' })
  assert.throws(() => findBinary('no-such-program', { PATH: '/nowhere' }), { kind: 'binaryNotFound' })
})

test('nothing is started before the first request', async (t) => {
  const { client, database } = open(t)
  assert.equal(client.pid, null)
  assert.ok(!existsSync(database))
  await client.getStatus('a')
  assert.ok(isRunning(client.pid))
})

test('a folder that does not exist: one clear error at once, and the client works when the folder is there', async (t) => {
  const folder = temporaryFolder(t)
  const { client, logs } = open(t, { database: join(folder, 'missing', 'renders.sqlite') })
  const failed = await Promise.allSettled([client.transition('a', 'start'), client.getStatus('b'), client.watch('c').next()])
  for (const { reason } of failed) {
    assert.equal(reason.kind, 'sidecarFailed')
    assert.match(reason.message, /missing does not exist/)
  }
  assert.ok(logs.some((line) => /missing does not exist/.test(line)))
  mkdirSync(join(folder, 'missing'))
  const result = await until(() => client.transition('a', 'start').catch(() => null), 'the pause is over')
  assert.equal(result.version, 1)
})

test('wrong arguments are a clear error', async (t) => {
  const { client } = open(t, { args: ['--bogus'] })
  await assert.rejects(client.getStatus('a'), (error) => error.kind === 'sidecarFailed' && /--bogus/.test(error.message))
})

test('no shell reads the path of the database', async (t) => {
  const folder = temporaryFolder(t)
  const { client } = open(t, { database: join(folder, '$(touch injected); "x" `y`.sqlite') })
  await client.transition('a', 'start')
  assert.ok(!readdirSync(folder).includes('injected'))
  assert.ok(readdirSync(folder).includes('$(touch injected); "x" `y`.sqlite'))
})

test('the sidecar gets HOME, PATH, LANG, TZ, RENDERSTATE_* and what the caller names, and nothing else', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `${initializedSource}
     console.error(JSON.stringify(process.env))
     lines.on('line', (line) => process.stdout.write(initialized(JSON.parse(line).id)))`
  )
  process.env.SECRET_OF_THE_HOST = 'x'
  process.env.RENDERSTATE_EXTRA = 'passed'
  t.after(() => {
    delete process.env.SECRET_OF_THE_HOST
    delete process.env.RENDERSTATE_EXTRA
  })
  const { client, logs } = open(t, { command, env: { NAMED: 'yes', RENDERSTATE_BIN: undefined } })
  await client.stats()
  const environment = JSON.parse(await until(() => logs[0]))
  assert.equal(environment.NAMED, 'yes')
  assert.equal(environment.RENDERSTATE_EXTRA, 'passed')
  assert.equal(environment.PATH, process.env.PATH)
  const allowed = /^(HOME|PATH|LANG|TZ|RENDERSTATE_.*|NAMED)$/
  assert.deepEqual(Object.keys(environment).filter((name) => !allowed.test(name)), [])
  assert.ok(!('RENDERSTATE_BIN' in environment))
})

test('the password in a database URL is no argument, which everybody could read', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `${initializedSource}
     console.error(JSON.stringify([process.argv.slice(2), process.env.RENDERSTATE_DATABASE]))
     lines.on('line', (line) => process.stdout.write(initialized(JSON.parse(line).id)))`
  )
  const { client, logs } = open(t, { command, database: 'postgres://me:secret@db/renders' })
  await client.stats()
  assert.deepEqual(JSON.parse(await until(() => logs[0])), [['serve'], 'postgres://me:secret@db/renders'])
})

test('a sidecar of another protocol version is a clear error, without a second try', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `console.error('started')
     process.stdin.once('data', () => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id: 'initialize', result: {
       server: { name: 'renderstate', version: '2.1.0' }, protocolVersion: 2 } }) + '\\n'))`
  )
  const { client, logs } = open(t, { command })
  const mismatch = (error) => error.kind === 'protocolMismatch' && /2\.1\.0 speaks version 2/.test(error.message)
  await Promise.all([
    assert.rejects(client.transition('a', 'start'), mismatch),
    assert.rejects(client.watch('a').next(), mismatch)
  ])
  await assert.rejects(client.getStatus('a'), mismatch)
  assert.ok(logs.filter((line) => line === 'started').length <= 1)
})

test('a program that is no sidecar is a clear error', async (t) => {
  const echo = madeUpSidecar(temporaryFolder(t), 'process.stdin.pipe(process.stdout)')
  await assert.rejects(open(t, { command: echo }).client.getStatus('a'), { kind: 'protocolMismatch' })
  await assert.rejects(open(t, { command: 'true' }).client.getStatus('a'), { kind: 'sidecarFailed' })
  const mute = madeUpSidecar(temporaryFolder(t), 'setInterval(() => 0, 1000)')
  const { client } = open(t, { command: mute, timeouts: { startMs: 300 } })
  await assert.rejects(client.getStatus('a'), (error) => /did not answer initialize within 300 ms/.test(error.message))
})

test('what the sidecar writes to stderr is always read, however much it is and whoever listens', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `${initializedSource}
     lines.on('line', (line) => {
       // Blocks for ever if nobody reads.
       require('node:fs').writeSync(2, 'x'.repeat(1 << 20) + '\\n')
       process.stdout.write(initialized(JSON.parse(line).id))
     })`
  )
  const silent = RenderStateClient.spawn({ database: join(temporaryFolder(t), 'a.sqlite'), command })
  t.after(() => silent.close())
  await silent.stats()
  let characters = 0
  const { client } = open(t, { command, logger: (line) => { characters += line.length; throw new Error('a bad logger') } })
  await client.stats()
  await until(() => characters >= 1 << 20)
})
