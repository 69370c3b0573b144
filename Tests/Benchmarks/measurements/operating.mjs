// The commands of who looks after a large store.
import { rmSync, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { mebibytes, median, time } from '../figures.mjs'
import { sidecarsOn, timed, writingMeanwhile } from '../load.mjs'
import { binary, output } from '../sidecar.mjs'
import { fill } from './scale.mjs'

const COUNT = 1_000_000
/** How often each command that reads is run. */
const TIMES = 21

export async function operating(bench) {
  return bench.withDatabase(async (database) => {
    bench.progress(`${COUNT.toLocaleString('en-US')} renders are made`)
    await fill(database, COUNT)
    const run = (...args) => output(binary, [...args, '--database', database])

    const rows = []
    for (const [args, limits] of [
      [['list'], { pass: 'at most 100 ms' }],
      [['stats'], { pass: 'at most 100 ms' }],
      [['metrics'], {}],
      [['status', 'render-500000'], {}],
      [['history', 'render-500000'], {}]
    ]) {
      bench.progress(`${args[0]} of it`)
      const durations = []
      for (let n = 0; n < TIMES; n++) durations.push((await timed(() => run(...args))).milliseconds)
      const what = `\`${args[0]}\` of ${COUNT.toLocaleString('en-US')} renders, from start to exit, p50`
      rows.push({ what, figure: time(median(durations)), against: `the longest: ${time(Math.max(...durations))}`, ...limits })
    }

    bench.progress('4 sidecars write, and a backup is made')
    const copy = `${database}.backup`
    const sidecars = await sidecarsOn(database, 4)
    const before = bench.logLength(database)
    const meanwhile = await writingMeanwhile(sidecars, 'meanwhile', () => run('backup', copy))
    bench.progress('4 sidecars write, for as long')
    const alone = await writingMeanwhile(sidecars, 'alone', () => setTimeout(meanwhile.milliseconds))
    for (const sidecar of sidecars) await sidecar.close()
    const lost = before + meanwhile.count + alone.count - bench.logLength(database)
    if (lost !== 0) throw new Error(`${lost} acknowledged changes are not in the log`)
    const copied = bench.logLength(copy)
    if (copied < before) throw new Error(`the backup has ${copied} changes, and there were ${before} before it`)
    const size = statSync(copy).size / 2 ** 20
    rmSync(copy)
    return [
      ...rows,
      { what: `\`backup\` of it (${mebibytes(size)}) beside 4 sidecars that write, none of whose changes is lost`, figure: time(meanwhile.milliseconds) },
      {
        what: `the longest wait of ${meanwhile.count.toLocaleString('en-US')} transitions meanwhile`,
        figure: time(meanwhile.longest),
        against: `${alone.count.toLocaleString('en-US')} without it: ${time(alone.longest)}`
      }
    ]
  })
}
