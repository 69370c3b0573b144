import assert from 'node:assert/strict'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RenderStateClient } from 'renderstate'
import { spawnHost } from './support/host.mjs'
import { initializedSource, isRunning, killSidecar, madeUpSidecar, open, temporaryFolder, until } from './support/sidecar.mjs'

test('a host that has nothing more to do exits although it did not close, and leaves no sidecar', async (t) => {
  const host = spawnHost(t, 'one-request.mjs', [join(temporaryFolder(t), 'renders.sqlite')])
  assert.deepEqual(await host.ended, { code: 0, signal: null })
  const pid = Number(host.lines[0])
  await until(() => !isRunning(pid), 'the sidecar ends')
})

test('a host that waits for a render stays, through the death of its sidecar, and exits then', async (t) => {
  const { client, database } = open(t)
  const host = spawnHost(t, 'waiting.mjs', [database, 'a'])
  process.kill(Number(await host.line(0)), 'SIGKILL')
  await until(async () => (await client.stats()).renders.queued === 1)
  await client.transition('a', 'cancel')
  assert.equal(await host.line(1), 'failed')
  assert.deepEqual(await host.ended, { code: 0, signal: null })
})

test('a host that is killed leaves no sidecar, and what was answered is in the store', async (t) => {
  const { client, database } = open(t)
  const host = spawnHost(t, 'server.mjs', [database])
  const pid = Number(await host.line(0))
  await until(async () => (await client.getStatus('a')).version > 20)
  host.child.kill('SIGKILL')
  await host.ended
  await until(() => !isRunning(pid), 'the sidecar ends')
  assert.ok((await client.getStatus('a')).version > 20)
})

test('a module that hot reload evaluates again shares the sidecar of the first', async (t) => {
  const { client, database } = open(t)
  await client.transition('a', 'start')
  const again = await import(`${import.meta.resolve('renderstate')}?again`)
  // A bundler's copy has modules of its own throughout.
  const folder = temporaryFolder(t)
  cpSync(fileURLToPath(new URL('../dist', import.meta.url)), join(folder, 'dist'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const copy = await import(pathToFileURL(join(folder, 'dist', 'index.js')).href)
  assert.notEqual(copy.RenderStateClient, RenderStateClient)
  for (const module of [again, copy]) {
    const other = module.RenderStateClient.spawn({ database })
    assert.equal((await other.getStatus('a')).version, 1)
    assert.equal(other.pid, client.pid)
    const error = await other.transition('a', 'start').catch((error) => error)
    assert.ok(error instanceof module.InvalidTransitionError && error instanceof module.RenderStateError)
    assert.ok(!(error instanceof module.ConflictError))
    await other.close()
  }
  const { pid } = client
  await client.close()
  assert.ok(!isRunning(pid))
})

test('close ends stdin first, then sends SIGTERM, then SIGKILL', async (t) => {
  const folder = temporaryFolder(t)
  const answers = `${initializedSource}
    lines.on('line', (line) => {
      const { id, method } = JSON.parse(line)
      process.stdout.write(method === 'initialize' ? initialized(id) : JSON.stringify({ jsonrpc: '2.0', id, result: {} }) + '\\n')
    })`
  const stays = `${answers}
    lines.on('close', () => console.error('stdin has ended'))
    setInterval(() => 0, 1000)`
  const stubborn = `${stays}
    process.on('SIGTERM', () => console.error('no'))`
  const timeouts = { closeMs: 200, killMs: 200 }
  for (const [source, expected] of [[answers, []], [stays, ['stdin has ended']], [stubborn, ['stdin has ended', 'no']]]) {
    const { client, logs } = open(t, { command: madeUpSidecar(folder, source), timeouts })
    await client.stats()
    const { pid } = client
    await client.close()
    assert.ok(!isRunning(pid))
    assert.deepEqual(logs, expected)
  }
})

test('close settles what can never be answered', async (t) => {
  const command = madeUpSidecar(
    temporaryFolder(t),
    `${initializedSource}
     lines.on('line', (line) => line.includes('initialize') && process.stdout.write(initialized(JSON.parse(line).id)))`
  )
  const { client } = open(t, { command, timeouts: { closeMs: 50, killMs: 500 } })
  const request = assert.rejects(client.transition('a', 'start'), { kind: 'closed' })
  await client.close()
  await request
})

test('requests on their way when the sidecar dies during close are answered all the same', async (t) => {
  const { client } = open(t)
  await client.transition('a', 'start')
  const requests = Array.from({ length: 300 }, () => client.transition('a', 'progress'))
  const closed = client.close()
  await killSidecar(client)
  assert.equal(new Set((await Promise.all(requests)).map((result) => result.version)).size, 300)
  await closed
})
