// The program itself: its start, its memory, its size.
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { RENDERS, idOf, lines, transitionLines } from '../events.mjs'
import { mebibytes, median, time } from '../figures.mjs'
import { Sidecar, binary, start } from '../sidecar.mjs'

const ping = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })}\n`

/** From the start of a program to its first line back. */
async function firstAnswer(command, args) {
  const begin = performance.now()
  const child = start(command, args, ['pipe', 'pipe', 'inherit'])
  child.stdin.write(ping)
  await once(child.stdout, 'data')
  const duration = performance.now() - begin
  child.stdin.end()
  child.stdout.resume()
  await once(child, 'exit')
  return duration
}

export async function starting(bench) {
  return bench.withDatabase(async (database) => {
    const repeated = (command, args) => async () => {
      const durations = []
      for (let n = 0; n < 30; n++) durations.push(await firstAnswer(command, args))
      return median(durations)
    }
    const { renderstate, cat } = await bench.rounds({
      renderstate: repeated(binary, ['serve', '--database', database]),
      cat: repeated('cat', [])
    })
    return [
      {
        what: 'spawn to first answer, p50',
        figure: time(median(renderstate)),
        against: `cat: ${time(median(cat))}`,
        pass: 'at most 25 ms',
        aim: 'at most 10 ms'
      }
    ]
  })
}

export async function memory(bench) {
  const { held } = await bench.rounds({
    held: () =>
      bench.withDatabase(async (database) => {
        const sidecar = new Sidecar(database)
        await sidecar.ask('getStatus', { id: idOf(0) })
        const atRest = sidecar.memory
        // Half of them transitions, half of them reads.
        const share = 100_000
        const reading = lines(share, (n) => ({ method: 'getStatus', params: { id: idOf(n % RENDERS) } }))
        for (let part = 0; part < 5; part++) {
          await sidecar.pipe(transitionLines(share, { firstStep: (part * share) / RENDERS }), share)
          await sidecar.pipe(reading, share)
        }
        const afterwards = sidecar.memory
        await sidecar.close()
        return { atRest, afterwards }
      })
  })
  return [
    {
      what: 'memory at rest (resident)',
      figure: mebibytes(median(held.map((each) => each.atRest))),
      pass: 'at most 24 MiB',
      aim: 'at most 12 MiB'
    },
    {
      what: 'memory after 1,000,000 requests (resident)',
      figure: mebibytes(median(held.map((each) => each.afterwards))),
      pass: 'at most 48 MiB',
      aim: 'at most 24 MiB'
    }
  ]
}

export async function size() {
  return [
    {
      what: 'the program, stripped, with the standard library inside',
      figure: mebibytes(statSync(binary).size / 2 ** 20),
      pass: 'at most 64 MiB',
      aim: 'at most 16 MiB'
    }
  ]
}
