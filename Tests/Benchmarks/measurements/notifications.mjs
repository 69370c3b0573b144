// From a commit to its notification. The host knows of the commit when its answer comes, so it is counted from there.
import { setTimeout as pause } from 'node:timers/promises'
import { RENDERS, eventAt, idOf } from '../events.mjs'
import { percent, percentile, time } from '../figures.mjs'
import { Sidecar } from '../sidecar.mjs'

/** Sends lone transitions and resolves to when each was sent, answered, and notified to the watcher. */
async function follow(host, watcher, count, before) {
  const notified = new Map()
  let onSeq = () => null
  watcher.onNotification = ({ change }) => {
    notified.set(change.seq, performance.now())
    onSeq()
  }
  const { subscription } = await watcher.ask('subscribe')
  const samples = []
  const steps = new Array(RENDERS).fill(0)
  for (let n = 0; n < count; n++) {
    await before()
    const id = idOf(n % RENDERS)
    const { event, context } = eventAt(id, steps[n % RENDERS]++)
    const sent = performance.now()
    const { seq } = await host.ask('transition', { id, event, context })
    const answered = performance.now()
    while (!notified.has(seq)) await new Promise((resolve) => (onSeq = resolve))
    samples.push({ sinceSent: notified.get(seq) - sent, sinceAnswer: Math.max(notified.get(seq) - answered, 0) })
  }
  await watcher.ask('unsubscribe', { subscription })
  return samples
}

const p99 = (rounds, key) => percentile(rounds.flat().map((sample) => sample[key]), 0.99)

export async function notifications(bench) {
  const { same, another, idle } = await bench.rounds({
    same: () =>
      bench.withDatabase(async (database) => {
        const host = new Sidecar(database)
        const samples = await follow(host, host, 2_000, () => null)
        await host.close()
        return samples
      }),
    another: () =>
      bench.withDatabase(async (database) => {
        const host = new Sidecar(database)
        const watcher = new Sidecar(database)
        await Promise.all([host.ask('ping'), watcher.ask('ping')])
        // With pauses, in which a watcher may go to sleep.
        const samples = await follow(host, watcher, 300, () => pause(1 + Math.random() * 39))
        await Promise.all([host.close(), watcher.close()])
        return samples
      }),
    idle: () =>
      bench.withDatabase(async (database) => {
        const host = new Sidecar(database)
        const watcher = new Sidecar(database)
        await watcher.ask('subscribe')
        await host.ask('transition', { id: idOf(0), event: 'start' })
        await pause(500)
        const [begin, used] = [performance.now(), watcher.processorTime]
        await pause(5_000)
        const share = (watcher.processorTime - used) / ((performance.now() - begin) / 1000)
        await Promise.all([host.close(), watcher.close()])
        return share
      })
  })
  return [
    {
      what: 'a commit to its notification on the same connection, p99',
      figure: time(p99(same, 'sinceAnswer')),
      against: `sent to notified: ${time(p99(same, 'sinceSent'))}`,
      pass: 'at most 2 ms',
      aim: 'at most 1 ms'
    },
    {
      what: 'a commit to its notification in another process, p99',
      figure: time(p99(another, 'sinceAnswer')),
      against: `sent to notified: ${time(p99(another, 'sinceSent'))}`,
      pass: 'at most 10 ms',
      aim: 'at most 3 ms'
    },
    {
      what: 'processor time of that process while nothing happens',
      figure: percent(percentile(idle, 0.5)),
      pass: 'at most 0.3 %',
      aim: 'at most 0.1 %'
    }
  ]
}
