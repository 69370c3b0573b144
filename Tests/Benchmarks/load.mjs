// Sidecars that write while something else goes on.
import { eventAt } from './events.mjs'
import { Sidecar } from './sidecar.mjs'

/** Each sidecar has so many transitions in flight, of as many renders. */
const IN_FLIGHT = 16

/** So many sidecars on a database, ready to work. */
export async function sidecarsOn(database, count) {
  const sidecars = Array.from({ length: count }, () => new Sidecar(database))
  await Promise.all(sidecars.map((sidecar) => sidecar.ask('ping')))
  return sidecars
}

/** Resolves to what some work comes to, and how long it takes. */
export async function timed(work) {
  const begin = performance.now()
  const result = await work()
  return { result, milliseconds: performance.now() - begin }
}

/**
 * Has sidecars write to renders of this name until the work is done. Resolves to what that came to and took, how many
 * transitions were acknowledged meanwhile, and the longest wait for one.
 */
export async function writingMeanwhile(sidecars, name, work) {
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
  const done = await timed(work)
  busy = false
  await Promise.all(writers)
  return { ...done, count, longest }
}
