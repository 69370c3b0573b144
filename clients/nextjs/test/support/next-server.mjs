// A host that serves a built overlay as Next.js would: `node next-server.mjs FOLDER`. It prints its URL.
//
// What it imitates: folders as paths with `[id]`, params as a Promise (of a route decoded, of a page not), the methods
// that a route exports, 404 and 405, HEAD by GET, a signal that aborts when the client goes, `register` of
// instrumentation before the first request, and pages whose client components come alive in the browser.
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { appPath } from './build.mjs'

const folder = process.argv[2]
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const load = (path) => import(pathToFileURL(path).href)

// A test that is killed leaves no host behind.
process.stdin.resume().once('close', () => process.exit())

process.env.NEXT_RUNTIME ??= 'nodejs'
await (await load(join(folder, 'instrumentation.mjs'))).register()

const entries = readdirSync(join(folder, 'app'), { recursive: true })
  .map((file) => join(folder, 'app', file))
  .filter((file) => /[/\\](route|page)\.mjs$/.test(file))
  .map((file) => {
    const pattern = dirname(appPath(folder, file)).replace(/^app/, '')
    return { file, pattern: pattern || '/', parts: pattern.split('/').filter(Boolean), isPage: /page\.mjs$/.test(file) }
  })
  // What is spelt out goes before what fits anything.
  .sort((one, other) => one.parts.filter(isDynamic).length - other.parts.filter(isDynamic).length)

const react = entries.some((entry) => entry.isPage) ? await load(join(folder, 'test/support/react-server.mjs')) : null
const clients = react ? await clientFiles() : []
/** How many requests each route got, as `GET /api/patch-notes/[id]/video-status`. */
const counts = {}

function isDynamic(part) {
  return part.startsWith('[')
}

async function clientFiles() {
  const files = readdirSync(join(folder, 'app'), { recursive: true }).filter((file) => /(?<!\/(route|page))\.mjs$/.test(`/${file}`))
  return Promise.all(files.map(async (file) => [`app/${file.replace(/\.mjs$/, '.tsx')}`, await load(join(folder, 'app', file))]))
}

/** The entry for a path, with its params as they stand in the URL. */
function match(pathname) {
  const given = pathname.split('/').slice(1)
  if (given.length === 1 && given[0] === '') given.pop()
  for (const entry of entries) {
    if (entry.parts.length !== given.length) continue
    const params = Object.create(null)
    const fits = entry.parts.every((part, index) => {
      if (!isDynamic(part)) return part === given[index]
      params[part.slice(1, -1)] = given[index]
      return given[index] !== ''
    })
    if (fits) return { entry, params }
  }
  return null
}

async function respond(request, url) {
  if (url.pathname === '/_test/requests') return Response.json(counts)
  if (url.pathname === '/_test/lambda') return Response.json(globalThis[Symbol.for('test.lambdaCalls')] ?? [])
  if (url.pathname === '/_test/client.js') {
    return new Response(readFileSync(join(folder, 'client.js')), { headers: { 'Content-Type': 'text/javascript; charset=utf-8' } })
  }
  if (url.pathname === '/_test/client.css') {
    return new Response(readFileSync(join(folder, 'client.css')), { headers: { 'Content-Type': 'text/css; charset=utf-8' } })
  }
  const found = match(url.pathname)
  if (!found) return new Response('Not Found', { status: 404 })
  const { entry, params } = found
  const name = `${request.method} ${entry.pattern}`
  counts[name] = (counts[name] ?? 0) + 1
  const module = await load(entry.file)
  if (entry.isPage) return page(module, params, url)
  let decoded
  try {
    decoded = Object.fromEntries(Object.entries(params).map(([key, value]) => [key, decodeURIComponent(value)]))
  } catch {
    return new Response('Bad Request', { status: 400 })
  }
  const handler = module[request.method] ?? (request.method === 'HEAD' ? module.GET : undefined)
  if (!handler) {
    const allowed = methods.filter((method) => module[method]).join(', ')
    return new Response(null, { status: request.method === 'OPTIONS' ? 204 : 405, headers: { Allow: allowed } })
  }
  return handler(request, { params: Promise.resolve(decoded) })
}

async function page(module, params, url) {
  const searchParams = Object.fromEntries(url.searchParams)
  const element = await module.default({ params: Promise.resolve({ ...params }), searchParams: Promise.resolve(searchParams) })
  const html = await react.render(element, clients)
  const script = '<script src="/_test/client.js" defer></script><link rel="stylesheet" href="/_test/client.css">'
  return new Response(
    `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>test</title>${script}</head><body>${html}</body></html>`,
    { headers: { 'Content-Type': 'text/html; charset=utf-8' } }
  )
}

const server = createServer(async (incoming, outgoing) => {
  const gone = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableEnded) gone.abort()
  })
  try {
    const url = new URL(incoming.url, `http://${incoming.headers.host}`)
    const headers = Object.entries(incoming.headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))
    const hasBody = !['GET', 'HEAD'].includes(incoming.method)
    const body = hasBody ? { body: Readable.toWeb(incoming), duplex: 'half' } : {}
    const request = new Request(url, { method: incoming.method, headers, signal: gone.signal, ...body })
    const response = await respond(request, url)
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    if (incoming.method === 'HEAD' || !response.body) {
      await response.body?.cancel()
      outgoing.end()
      return
    }
    outgoing.flushHeaders()
    await send(response.body.getReader(), outgoing, gone.signal)
  } catch (error) {
    console.error(error)
    if (outgoing.headersSent) outgoing.destroy()
    else outgoing.writeHead(500).end('Internal Server Error')
  }
})

/** Sends what the reader gives as the client takes it. */
async function send(reader, outgoing, signal) {
  signal.addEventListener('abort', () => void reader.cancel().catch(() => null))
  for (;;) {
    const { value, done } = await reader.read()
    if (signal.aborted) return
    if (done) break
    if (!outgoing.write(value)) {
      await new Promise((resolve) => {
        outgoing.once('drain', resolve)
        signal.addEventListener('abort', resolve)
      })
    }
  }
  outgoing.end()
}

server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
