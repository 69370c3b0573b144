// What 1,000 viewers of 50 renders cost a Node host, and how soon they see a change.
//
//     node Tests/Benchmarks/viewers.mjs
//
// needs the Node client's dist/ (clients/node/test/run builds it) and a release build of the sidecar, or RENDERSTATE_BIN.
//
// It is three processes: the host (an HTTP server with createStatusStreamRoute), its sidecar on a new database in a
// temporary folder (durable commits), and this one, with the viewers' sockets, so that the host's memory is its own. It
// measures:
//
// - the subscriptions on the wire;
// - the resident memory of the host, after a garbage collection, and of the sidecar: before the viewers, with them, and
//   after the changes. "Before" the host has served one viewer of each render, so that its code is loaded;
// - the time from the answer to a transition (its commit is on disk then) in the host to the event in this process, for
//   every viewer of the render, by the clock that all processes of a machine share.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, get } from 'node:http'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const renders = Array.from({ length: 50 }, (_, index) => `render-${index}`)
const viewersOfEach = 20
/** Of each render, with progress up to 100. */
const changesOfEach = 40
const msBetweenChanges = 5

const viewerCount = renders.length * viewersOfEach
const changeCount = renders.length * changesOfEach

/** In microseconds, of a clock that is the same in all processes. */
const now = () => Number(process.hrtime.bigint() / 1000n)

const client = new URL('../../clients/node/dist/index.js', import.meta.url)

if (process.argv[2] === '--host') await host(process.argv[3])
else if (process.argv.length > 2) help()
else await measure()

function help() {
  console.log(`Usage: node Tests/Benchmarks/viewers.mjs

${viewerCount.toLocaleString('en')} viewers of ${renders.length} renders over Server-sent events, ${changeCount.toLocaleString('en')} changes, one every ${msBetweenChanges} ms: what they cost
the host's process and the sidecar, and how soon the viewers see a change. Takes about ${Math.ceil((changeCount * msBetweenChanges) / 1000) + 5} seconds.
RENDERSTATE_BIN names the sidecar, else the release build of this repository. The comment at the head of the file
says what is measured.`)
  process.exitCode = ['--help', '-h'].includes(process.argv[2]) ? 0 : 64
}

// The host.

/** Serves the streams, and does what the messages of its parent say. */
async function host(database) {
  const { RenderStateClient } = await import(client)
  const { createStatusStreamRoute } = await import(new URL('next/index.js', client))
  const store = RenderStateClient.spawn({ database, logger: (line) => console.error(line) })
  const route = createStatusStreamRoute({ client: store, authorize: () => true })
  await Promise.all(renders.map((id) => store.transition(id, 'start')))

  const server = createServer((incoming, outgoing) => respond(route, incoming, outgoing).catch(() => outgoing.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const does = {
    figures: async () => {
      for (let round = 0; round < 3; round += 1) {
        await delay(100)
        globalThis.gc()
      }
      return { subscriptions: (await store.stats()).subscriptions, host: process.memoryUsage.rss(), sidecar: rssOf(store.pid) }
    },
    /** Answers with when each change was committed: `[seq, time]`. */
    change: async () => {
      const begun = now()
      const changes = Array.from({ length: changeCount }, async (_, index) => {
        await delay((begun - now()) / 1000 + index * msBetweenChanges)
        const progress = ((Math.floor(index / renders.length) + 1) / changesOfEach) * 100
        const { seq } = await store.transition(renders[index % renders.length], 'progress', { context: { progress } })
        return [seq, now()]
      })
      return Promise.all(changes)
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await store.close()
    }
  }
  process.on('message', async (name) => {
    const answer = await does[name]()
    if (name === 'close') process.exit()
    process.send(answer)
  })
  // Without its parent there is nobody to serve.
  process.once('disconnect', () => process.exit())
  process.send(server.address().port)
}

/** As Next.js does it: piece by piece as the viewer takes it, and the stream is cancelled when the viewer goes. */
async function respond(route, incoming, outgoing) {
  const id = incoming.url.slice(1)
  const response = await route(new Request(`http://studio.example/${id}`), { params: Promise.resolve({ id }) })
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.flushHeaders()
  const reader = response.body.getReader()
  outgoing.once('close', () => void reader.cancel())
  for (;;) {
    const { value, done } = await reader.read()
    if (done) break
    if (!outgoing.write(value)) await once(outgoing, 'drain')
  }
  outgoing.end()
}

/** The resident memory of another process in bytes, or null where the system does not say. */
function rssOf(pid) {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024
  } catch {
    return null
  }
}

// The viewers.

/** Follows a render; `onEvent(seq)` is called with each status. Resolves with the request when the first one has come. */
function view(port, id, onEvent, onFailure) {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: `/${id}`, agent: false }, (response) => {
      if (response.statusCode !== 200) onFailure(new Error(`a stream was answered ${response.statusCode}`))
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece) => {
        const blocks = (text + piece).split('\n\n')
        text = blocks.pop()
        for (const block of blocks) {
          const [, seq] = /^id: (\d+)\nevent: status\n/.exec(block) ?? []
          if (seq === undefined) continue
          onEvent(Number(seq))
          resolve(request)
        }
      })
      response.on('error', onFailure)
    })
    request.on('error', onFailure)
  })
}

async function measure() {
  if (!existsSync(client)) {
    console.error('clients/node/dist is missing: clients/node/test/run builds it')
    process.exitCode = 1
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'renderstate-viewers-'))
  const child = fork(fileURLToPath(import.meta.url), ['--host', join(folder, 'renders.sqlite')], { execArgv: ['--expose-gc'] })
  const gone = once(child, 'exit')
  /** Resolves with what the promise does, unless something goes wrong before: then it ends by way of the cleaning below. */
  let fail
  const failure = new Promise((_, reject) => (fail = reject))
  failure.catch(() => null)
  const unlessFailed = (promise) => Promise.race([promise, failure])
  child.once('exit', (code, signal) => fail(new Error(`the host has ended with ${signal ?? code}`)))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => fail(new Error(signal)))
  const ask = async (name) => {
    child.send(name)
    const [answer] = await unlessFailed(once(child, 'message'))
    return answer
  }
  try {
    const [port] = await unlessFailed(once(child, 'message'))
    let isGoing = false
    const first = renders.map((id) => view(port, id, () => null, (error) => isGoing || fail(error)))
    for (const request of await unlessFailed(Promise.all(first))) {
      isGoing = true
      request.destroy()
    }
    while ((await ask('figures')).subscriptions > 0);
    const before = await ask('figures')

    const arrivals = []
    const connect = (id) => view(port, id, (seq) => arrivals.push([seq, now()]), fail)
    await unlessFailed(Promise.all(renders.flatMap((id) => Array.from({ length: viewersOfEach }, () => connect(id)))))
    const during = await ask('figures')
    arrivals.length = 0
    const commits = new Map(await ask('change'))
    // The last change of each render has to come to all its viewers.
    const last = new Set([...commits.keys()].sort((one, other) => one - other).slice(-renders.length))
    while (arrivals.filter(([seq]) => last.has(seq)).length < viewerCount) await unlessFailed(delay(10))
    const after = await ask('figures')
    report(before, during, after, arrivals.map(([seq, time]) => time - commits.get(seq)))
    child.send('close')
    await gone
  } finally {
    child.kill('SIGKILL')
    await gone
    rmSync(folder, { recursive: true, force: true })
  }
}

function report(before, during, after, delays) {
  delays.sort((one, other) => one - other)
  const at = (share) => `${(delays[Math.min(Math.floor(delays.length * share), delays.length - 1)] / 1000).toFixed(2)} ms`
  const count = (number) => number.toLocaleString('en')
  const mebibytes = (bytes) => (bytes === null ? 'not known' : `${(bytes / 2 ** 20).toFixed(1)} MiB`)
  const memory = (name) => `${mebibytes(before[name])} | ${mebibytes(during[name])} | ${mebibytes(after[name])}`
  const [cpu] = cpus()
  const load = loadavg()[0].toFixed(1)
  console.log(`## ${count(viewerCount)} viewers of ${renders.length} renders

${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${cpus().length} × ${cpu?.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${process.platform} ${process.arch}, load ${load}

| | before | with the viewers | after the changes |
|---|---|---|---|
| subscriptions on the wire | ${before.subscriptions} | ${during.subscriptions} | ${after.subscriptions} |
| resident memory of the host | ${memory('host')} |
| the same, per viewer | | ${((during.host - before.host) / viewerCount / 1024).toFixed(1)} KiB | ${((after.host - before.host) / viewerCount / 1024).toFixed(1)} KiB |
| resident memory of the sidecar | ${memory('sidecar')} |

| changes, one every ${msBetweenChanges} ms | ${count(changeCount)} |
|---|---|
| events that came, the others folded into newer ones | ${count(delays.length)} of ${count(changeCount * viewersOfEach)} |
| from the answer to a change to the event: p50 | ${at(0.5)} |
| p99 | ${at(0.99)} |
| max | ${at(1)} |`)
}
