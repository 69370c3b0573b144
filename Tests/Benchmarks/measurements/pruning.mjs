// What others have to wait for while a long log is pruned.
import { RENDERS, eventAt, transitionLines } from '../events.mjs'
import { time } from '../figures.mjs'
import { Sidecar, binary, output, pipeFile } from '../sidecar.mjs'

/** Of 20 changes of a render 17 are progress that does not change its state. */
const COUNT = 1_200_000
/** Each sidecar has so many transitions in flight, of as many renders. */
const IN_FLIGHT = 16
const LEAST_AGE_MS = 2_000

export async function pruning(bench) {
  return bench.withDatabase(async (database) => {
    bench.progress(`${COUNT.toLocaleString('en-US')} changes are made`)
    await pipeFile(database, bench.file(transitionLines(COUNT)), COUNT)
    // What is younger stays: subscribers may not have heard of it yet.
    await new Promise((resolve) => setTimeout(resolve, LEAST_AGE_MS))
    const sidecars = [1, 2, 3, 4].map(() => new Sidecar(database))
    await Promise.all(sidecars.map((sidecar) => sidecar.ask('ping')))

    bench.progress('4 sidecars write, and the log is pruned')
    const args = ['prune', '--database', database, '--progress-log-before', `${LEAST_AGE_MS}ms`, '--json']
    let pruned
    const waits = await longestWait(sidecars, 'meanwhile', async () => (pruned = await timed(() => output(binary, args))))
    bench.progress('4 sidecars write, for as long')
    const before = await longestWait(sidecars, 'alone', () => new Promise((resolve) => setTimeout(resolve, pruned.milliseconds)))
    for (const sidecar of sidecars) await sidecar.close()

    const { progress, steps, longestPauseMs } = JSON.parse(pruned.result)
    if (progress < 1_000_000) throw new Error(`${progress} changes were pruned, and should have been a million`)
    return [
      {
        what: `prune of ${progress.toLocaleString('en-US')} changes of ${RENDERS} renders beside 4 sidecars that write`,
        figure: `${time(pruned.milliseconds)}, ${steps.toLocaleString('en-US')} steps`
      },
      { what: 'the longest that a step of it held the gate', figure: time(longestPauseMs), pass: 'at most 20 ms', aim: 'at most 10 ms' },
      {
        what: `the longest wait of ${waits.count.toLocaleString('en-US')} transitions meanwhile`,
        figure: time(waits.longest),
        against: `${before.count.toLocaleString('en-US')} without it: ${time(before.longest)}`
      }
    ]
  })
}

async function timed(work) {
  const begin = performance.now()
  const result = await work()
  return { result, milliseconds: performance.now() - begin }
}

/** Has the sidecars write until the work is done. Resolves to how many transitions that were, and the longest wait for one. */
async function longestWait(sidecars, name, work) {
  let busy = true
  let count = 0
  let longest = 0
  const write = async (sidecar, id) => {
    for (let step = 0; busy; step++) {
      const { event, context } = eventAt(id, step)
      const { milliseconds } = await timed(() => sidecar.ask('transition', { id, event, ...(context && { context }) }))
      longest = Math.max(longest, milliseconds)
      count += 1
    }
  }
  const writers = sidecars.flatMap((sidecar, number) =>
    Array.from({ length: IN_FLIGHT }, (_, index) => write(sidecar, `${name}-${number}-${index}`))
  )
  await work()
  busy = false
  await Promise.all(writers)
  return { count, longest }
}
