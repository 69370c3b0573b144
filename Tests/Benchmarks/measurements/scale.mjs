// Many processes, many renders, many subscriptions.
import { RenderStateClient } from '../../../clients/node/dist/index.js'
import { RENDERS, eventAt, idOf, lines, transitionLines } from '../events.mjs'
import { median, perSecond, ratio, time, times } from '../figures.mjs'
import { Sidecar, pipeFile } from '../sidecar.mjs'

export async function processes(bench) {
  const count = 200_000
  const ids = (process) => Array.from({ length: RENDERS / 4 }, (_, n) => `${process}-${n}`)
  const alone = bench.file(transitionLines(count))
  const quarters = [1, 2, 3, 4].map((process) => bench.file(transitionLines(count / 4, { ids: ids(process) })))
  const measured = await bench.rounds({
    'one sidecar': () => bench.withDatabase((database) => bench.pipeTransitions(database, [alone], count)),
    'four sidecars': () => bench.withDatabase((database) => bench.pipeTransitions(database, quarters, count)),
    'four sidecars, and a fifth with lone transitions': () =>
      bench.withDatabase(async (database) => {
        const fifth = new Sidecar(database)
        await fifth.ask('ping')
        let busy = true
        const pipes = quarters.map((file) => pipeFile(database, file, count / 4))
        const load = Promise.all(pipes).finally(() => (busy = false))
        const waits = []
        while (busy) {
          const begin = performance.now()
          await fifth.ask('transition', { id: 'lone', event: eventAt('lone', waits.length).event })
          waits.push(performance.now() - begin)
        }
        await load
        await fifth.close()
        return Math.max(...waits)
      })
  })
  const [one, four, waits] = Object.values(measured)
  return [
    {
      what: '4 sidecars on one file, each with 50,000 transitions piped in, together',
      figure: perSecond(median(four)),
      against: `one with 200,000: ${perSecond(median(one))}`,
      ratio: times(ratio(four, one)),
      pass: 'at least 0.8 ×',
      aim: 'at least 1 ×'
    },
    {
      what: 'the longest wait of a lone transition of a fifth meanwhile',
      figure: time(Math.max(...waits)),
      pass: 'at most 250 ms',
      aim: 'at most 50 ms'
    }
  ]
}

/** The renders that the transitions go to: every so many-th of the store. */
const TARGETS = 1_000

/** Fills a new store. Most renders are completed, some have failed, are being rendered or wait. */
export async function fill(database, renders) {
  const spacing = renders / TARGETS
  const notification = (id, event) => `${JSON.stringify({ jsonrpc: '2.0', method: 'transition', params: { id, event } })}\n`
  const ends = [...Array(6).fill(['progress', 'complete']), ['cancel'], ['cancel'], ['progress'], []]
  function* pieces() {
    for (let n = 0; n < renders; n += 1_000) {
      let piece = ''
      for (let each = n; each < n + 1_000; each++) {
        const id = idOf(each)
        const events = each % spacing === 0 ? ['cancel'] : ends[each % ends.length]
        for (const event of ['start', ...events]) piece += notification(id, event)
      }
      yield piece
    }
  }
  const sidecar = new Sidecar(database, '--synchronous', 'normal')
  await sidecar.send(pieces())
  const { renders: filled } = await sidecar.ask('stats')
  await sidecar.close()
  const total = Object.values(filled).reduce((sum, each) => sum + each, 0)
  if (total !== renders) throw new Error(`${total} renders are in the store, and not ${renders}`)
}

export async function million(bench) {
  const sizes = [1_000, 1_000_000]
  return bench.withDatabase((small) => bench.withDatabase(async (large) => {
    const stores = [small, large]
    for (const n of [0, 1]) {
      bench.progress(`${sizes[n].toLocaleString('en-US')} renders are made`)
      await fill(stores[n], sizes[n])
    }
    const count = 100_000
    const piped = (n) => async (round) => {
      const ids = Array.from({ length: TARGETS }, (_, target) => idOf((target * sizes[n]) / TARGETS))
      // A whole number of cycles a round, each with new renderIds.
      const file = bench.file(transitionLines(count, { ids, firstStep: (round * count) / TARGETS }))
      return bench.pipeTransitions(stores[n], [file], count)
    }
    const p50 = (n, times, call) => async () => {
      const client = RenderStateClient.spawn({ database: stores[n] })
      const durations = []
      for (let n = 0; n < times; n++) {
        const begin = performance.now()
        await call(client, sizes[n])
        durations.push(performance.now() - begin)
      }
      await client.close()
      return median(durations)
    }
    const one = (client, size) => client.getStatus(idOf(Math.floor(Math.random() * size)))
    const page = (client) => client.listStatuses()
    const measured = await bench.rounds({
      'a thousand: transitions': piped(0),
      'a million: transitions': piped(1),
      'a thousand: getStatus': p50(0, 5_000, one),
      'a million: getStatus': p50(1, 5_000, one),
      'a thousand: listStatuses': p50(0, 500, page),
      'a million: listStatuses': p50(1, 500, page)
    })
    const row = (what, of, write, pass, aim) => {
      const [thousand, million] = [measured[`a thousand: ${of}`], measured[`a million: ${of}`]]
      return {
        what: `1,000,000 renders in the store: ${what}`,
        figure: write(median(million)),
        against: `1,000 in the store: ${write(median(thousand))}`,
        ratio: times(ratio(million, thousand)),
        pass,
        aim
      }
    }
    return [
      row('100,000 transitions piped in', 'transitions', perSecond, 'at least 0.7 ×', 'at least 0.9 ×'),
      row('a lone getStatus of any of them, p50', 'getStatus', time, 'at most 1.3 ×', 'at most 1.1 ×'),
      row('a page of listStatuses, p50', 'listStatuses', time, 'at most 1.5 ×', 'at most 1.1 ×')
    ]
  }))
}

export async function subscriptions(bench) {
  const count = 200_000
  const text = transitionLines(count)
  const piped = (subscriptions, notified) => () =>
    bench.withDatabase(async (database) => {
      const sidecar = new Sidecar(database)
      await sidecar.ask('ping')
      if (subscriptions > 0) {
        // The first is of a render that changes, the others are of renders that do not.
        const requests = lines(subscriptions, (n) => ({ method: 'subscribe', params: { ids: [n === 0 ? idOf(0) : `quiet-${n}`] } }))
        await sidecar.pipe(requests, subscriptions)
      }
      const seconds = await sidecar.pipe(text, count + notified)
      await sidecar.close()
      return count / seconds
    })
  const { none, many } = await bench.rounds({ none: piped(0, 0), many: piped(10_000, count / RENDERS) })
  return [
    {
      what: '10,000 subscriptions on one connection, one of them matching: transitions piped in',
      figure: perSecond(median(many)),
      against: `none: ${perSecond(median(none))}`,
      ratio: times(ratio(many, none)),
      pass: 'at least 0.8 ×',
      aim: 'at least 0.95 ×'
    }
  ]
}
