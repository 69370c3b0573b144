// What happens to the renders in every measurement: each takes `start`, 18 times `progress`, `fail`, and again from
// the start, in turn with all others. peers/sqlite.c says the same in C.
export const RENDERS = 1000
export const CYCLE = 20

/** The name of render number n. */
export const idOf = (n) => `render-${n}`

/** The event that a render takes as its number `step`, from 0, and the state that it leads to. */
export function eventAt(id, step) {
  const at = step % CYCLE
  if (at === 0) return { event: 'start', state: 'queued', context: null }
  if (at === CYCLE - 1) return { event: 'fail', state: 'failed', context: { error: 'The renderer gave up' } }
  const renderId = `${id}-${Math.floor(step / CYCLE) + 1}`
  return { event: 'progress', state: 'rendering', context: { renderId, progress: at * 5 } }
}

/** The same events as the lines of a pipe, `count` of them, to renders with these ids; each goes on at its `firstStep`. */
export function transitionLines(count, { ids = Array.from({ length: RENDERS }, (_, n) => idOf(n)), firstStep = 0 } = {}) {
  return lines(count, (number) => {
    const id = ids[number % ids.length]
    const { event, context } = eventAt(id, firstStep + Math.floor(number / ids.length))
    return { method: 'transition', params: { id, event, actor: 'host', ...(context && { context }) } }
  })
}

/** `count` requests, each on a line. */
export function lines(count, request) {
  const pieces = []
  let piece = ''
  for (let number = 0; number < count; number++) {
    piece += `${JSON.stringify({ jsonrpc: '2.0', id: number + 1, ...request(number) })}\n`
    if (piece.length < 2 ** 20 && number + 1 < count) continue
    pieces.push(Buffer.from(piece))
    piece = ''
  }
  return Buffer.concat(pieces)
}
