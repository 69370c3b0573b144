// What others have to wait for while a long log is pruned.
import { setTimeout } from 'node:timers/promises'
import { RENDERS, transitionLines } from '../events.mjs'
import { time } from '../figures.mjs'
import { sidecarsOn, writingMeanwhile } from '../load.mjs'
import { binary, output, pipeFile } from '../sidecar.mjs'

/** Of 20 changes of a render 17 are progress that does not change its state. */
const COUNT = 1_200_000
const LEAST_AGE_MS = 2_000

export async function pruning(bench) {
  return bench.withDatabase(async (database) => {
    bench.progress(`${COUNT.toLocaleString('en-US')} changes are made`)
    await pipeFile(database, bench.file(transitionLines(COUNT)), COUNT)
    // What is younger stays: subscribers may not have heard of it yet.
    await setTimeout(LEAST_AGE_MS)
    const sidecars = await sidecarsOn(database, 4)

    bench.progress('4 sidecars write, and the log is pruned')
    const args = ['prune', '--database', database, '--progress-log-before', `${LEAST_AGE_MS}ms`, '--json']
    const meanwhile = await writingMeanwhile(sidecars, 'meanwhile', () => output(binary, args))
    bench.progress('4 sidecars write, for as long')
    const alone = await writingMeanwhile(sidecars, 'alone', () => setTimeout(meanwhile.milliseconds))
    for (const sidecar of sidecars) await sidecar.close()

    const { progress, steps, longestPauseMs } = JSON.parse(meanwhile.result)
    if (progress < 1_000_000) throw new Error(`${progress} changes were pruned, and should have been a million`)
    return [
      {
        what: `prune of ${progress.toLocaleString('en-US')} changes of ${RENDERS} renders beside 4 sidecars that write`,
        figure: `${time(meanwhile.milliseconds)}, ${steps.toLocaleString('en-US')} steps`
      },
      { what: 'the longest that a step of it held the gate', figure: time(longestPauseMs), pass: 'at most 20 ms', aim: 'at most 10 ms' },
      {
        what: `the longest wait of ${meanwhile.count.toLocaleString('en-US')} transitions meanwhile`,
        figure: time(meanwhile.longest),
        against: `${alone.count.toLocaleString('en-US')} without it: ${time(alone.longest)}`
      }
    ]
  })
}
