// A web server for the handlers of routes, whose requests a test can count, hold up and cut.
import { once } from 'node:events'
import { createServer } from 'node:http'

/**
 * Answers with what `answer(request)` returns: a Response, or nothing for no answer at all. Closed after the test.
 * `requests` are all that came, `{method, path, status, isOpen}`.
 */
export async function serve(t, answer) {
  const requests = []
  const server = createServer(async (incoming, outgoing) => {
    const abort = new AbortController()
    const record = { method: incoming.method, path: incoming.url, status: null, isOpen: true }
    requests.push(record)
    outgoing.once('close', () => {
      record.isOpen = false
      abort.abort()
    })
    const { method, headers, url } = incoming
    const response = await answer(new Request(new URL(url, `http://${headers.host}`), { method, headers, signal: abort.signal }))
    if (!response) return
    record.status = response.status
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.flushHeaders()
    try {
      for await (const piece of response.body ?? []) outgoing.write(piece)
    } catch {
      // The browser has gone.
    }
    outgoing.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${server.address().port}`, requests }
}
