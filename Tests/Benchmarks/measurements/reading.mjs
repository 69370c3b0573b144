// getStatus: one at a time, from memory, and piped in.
import { RenderStateClient } from '../../../clients/node/dist/index.js'
import { CYCLE, RENDERS, idOf, lines, transitionLines } from '../events.mjs'
import { median, perSecond, ratio, time, times } from '../figures.mjs'
import { Sidecar, pipeFile } from '../sidecar.mjs'

export async function reads(bench) {
  return bench.withDatabase(async (database) => {
    const client = RenderStateClient.spawn({ database })
    for (let n = 0; n < RENDERS; n++) await client.transition(idOf(n), 'start')
    const p50 = async (count, call) => {
      const durations = []
      for (let n = 0; n < count; n++) {
        const begin = performance.now()
        await call(idOf(n % RENDERS))
        durations.push(performance.now() - begin)
      }
      return median(durations)
    }
    const watch = client.watch(idOf(0))
    await watch.next()
    const measured = await bench.rounds({
      fresh: () => p50(10_000, (id) => client.getStatus(id, { fresh: true })),
      cat: async () => (await bench.peer('cat', 10_000)).p50,
      // A hundred at a time, as a clock that is read takes longer than one of them.
      cache: async () => {
        const batch = async () => {
          for (let n = 0; n < 100; n++) await client.getStatus(idOf(0))
        }
        return (await p50(5_000, batch)) / 100
      }
    })
    await watch.return()
    await client.close()
    return [
      {
        what: 'a lone getStatus through the Node client, p50',
        figure: time(median(measured.fresh)),
        against: `a line to cat and back: ${time(median(measured.cat))}`,
        ratio: times(ratio(measured.fresh, measured.cat)),
        pass: 'at most 2 ×',
        aim: 'at most 1.5 ×'
      },
      {
        what: 'the same of a watched render, from memory',
        figure: time(median(measured.cache)),
        pass: 'at most 1 µs',
        aim: 'at most 0.3 µs'
      }
    ]
  })
}

export async function readsPiped(bench) {
  const count = 300_000
  const file = bench.file(lines(count, (number) => ({ method: 'getStatus', params: { id: idOf(number % RENDERS) } })))
  return bench.withDatabase(async (database) => {
    const sidecar = new Sidecar(database)
    await sidecar.pipe(transitionLines((CYCLE / 2) * RENDERS), (CYCLE / 2) * RENDERS)
    await sidecar.close()
    const { renderstate } = await bench.rounds({ renderstate: async () => count / (await pipeFile(database, file, count)) })
    return [
      {
        what: '300,000 getStatus piped in from a file',
        figure: perSecond(median(renderstate)),
        pass: 'at least 150,000/s',
        aim: 'at least 300,000/s'
      }
    ]
  })
}
