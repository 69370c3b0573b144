// The load that every host puts on its store: so many changes in flight, each render's one after the other.
import { CYCLE, RENDERS, eventAt, idOf } from '../events.mjs'

/** Calls `change(id, event, step)` `count` times, and says how many a second, and how long one took. */
export async function load(change, { inFlight, count }) {
  const steps = new Array(RENDERS).fill(0)
  const run = async (total) => {
    const durations = []
    const each = Math.ceil(total / inFlight)
    const work = async (first) => {
      let render = first
      for (let n = 0; n < each; n++) {
        const id = idOf(render)
        const step = steps[render]++
        const begin = performance.now()
        await change(id, eventAt(id, step), step)
        durations.push(performance.now() - begin)
        render += inFlight
        if (render >= RENDERS) render = first
      }
    }
    const begin = performance.now()
    await Promise.all(Array.from({ length: inFlight }, (_, first) => work(first)))
    return { perSecond: (durations.length / (performance.now() - begin)) * 1000, durations }
  }
  // The first ones, while code is compiled and connections are opened, are not what is measured.
  await run(Math.max(Math.ceil(count / 10), inFlight))
  const { perSecond, durations } = await run(count)
  durations.sort((a, b) => a - b)
  return { perSecond, p50: durations[Math.floor(durations.length / 2)], p99: durations[Math.floor(durations.length * 0.99)] }
}

/** The state before that step. */
export const stateBefore = (id, step) => (step === 0 ? 'idle' : eventAt(id, step - 1).state)

/** The attempt of that step. */
export const attemptAt = (step) => Math.floor(step / CYCLE) + 1
