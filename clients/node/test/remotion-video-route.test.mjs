import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createVideoRoute } from 'renderstate/remotion'
import { temporaryFolder, until } from './support/sidecar.mjs'

const name = '0123456789abcdef.mp4'
const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251))

/** A folder with one video of 100,000 bytes, and how it is asked for. */
function videos(t) {
  const folder = join(temporaryFolder(t), 'videos')
  mkdirSync(folder)
  writeFileSync(join(folder, name), bytes)
  const route = createVideoRoute({ folder })
  const get = (asked = name, headers = {}, method = 'GET') =>
    route(new Request('http://studio.example/videos/x', { method, headers }), { params: Promise.resolve({ name: asked }) })
  return { folder, get }
}

test('a video is sent whole', async (t) => {
  const { get } = videos(t)
  const response = await get()
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'video/mp4')
  assert.equal(response.headers.get('accept-ranges'), 'bytes')
  assert.equal(response.headers.get('content-length'), '100000')
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes)
})

test('a part of a video is 206 with just these bytes', async (t) => {
  const { get } = videos(t)
  for (const [range, first, last] of [
    ['bytes=0-', 0, 99_999],
    ['bytes=0-0', 0, 0],
    ['bytes=500-999', 500, 999],
    ['bytes=99999-99999', 99_999, 99_999],
    ['bytes=70000-200000', 70_000, 99_999],
    ['bytes=-10', 99_990, 99_999],
    ['bytes=-200000', 0, 99_999]
  ]) {
    const response = await get(name, { Range: range })
    assert.equal(response.status, 206, range)
    assert.equal(response.headers.get('content-range'), `bytes ${first}-${last}/100000`)
    assert.equal(response.headers.get('content-length'), String(last - first + 1))
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes.subarray(first, last + 1), range)
  }
})

test('a part behind the end is 416 with the size', async (t) => {
  const { folder, get } = videos(t)
  writeFileSync(join(folder, 'ffffffffffffffff.mp4'), '')
  for (const [asked, range, size] of [
    [name, 'bytes=100000-', 100_000],
    [name, 'bytes=-0', 100_000],
    ['ffffffffffffffff.mp4', 'bytes=0-', 0],
    ['ffffffffffffffff.mp4', 'bytes=-1', 0]
  ]) {
    const response = await get(asked, { Range: range })
    assert.equal(response.status, 416, range)
    assert.equal(response.headers.get('content-range'), `bytes */${size}`)
    assert.equal(await response.text(), '')
  }
  assert.equal((await get('ffffffffffffffff.mp4')).headers.get('content-length'), '0')
})

test('a range that cannot be read is no range', async (t) => {
  const { get } = videos(t)
  for (const range of ['bytes=-', 'bytes=5-3', 'bytes=0-1,5-6', 'items=0-1', 'bytes=a-b', `bytes=${'9'.repeat(30)}-`, '']) {
    const response = await get(name, { Range: range })
    assert.equal(response.status, 200, range)
    assert.equal((await response.arrayBuffer()).byteLength, 100_000)
  }
  const response = await get(name, { Range: 'bytes=0-1', 'If-Range': '"another version"' })
  assert.equal(response.status, 200)
  await response.body.cancel()
})

test('a HEAD tells the same without the bytes', async (t) => {
  const { get } = videos(t)
  const response = await get(name, {}, 'HEAD')
  assert.deepEqual([response.status, response.headers.get('content-length'), response.body], [200, '100000', null])
})

test('what is no name of a video is not found, whatever the disk has', async (t) => {
  const { folder, get } = videos(t)
  writeFileSync(join(folder, 'secret.mp4'), 'secret')
  writeFileSync(join(folder, '..', name.replace('0', '1')), 'secret')
  for (const asked of ['secret.mp4', `../1${name.slice(1)}`, `.${name}`, `${name}/`, `${name}\n`, `${name}\0`, '', '..', [name], null, 'ffffffffffffffff.mp4']) {
    assert.equal((await get(asked)).status, 404, String(asked))
  }
})

test('a viewer who goes does not keep the file open', async (t) => {
  const { folder, get } = videos(t)
  const reader = (await get()).body.getReader()
  assert.equal((await reader.read()).done, false)
  assert.equal(isOpen(join(folder, name)), true)
  await reader.cancel()
  await until(() => !isOpen(join(folder, name)), 'the file is closed')
})

function isOpen(path) {
  return readdirSync('/proc/self/fd').some((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`) === path
    } catch {
      return false
    }
  })
}
