// Transitions: piped in, through the client, one at a time, and what other stores do with the same.
import { transitionLines } from '../events.mjs'
import { median, perSecond, ratio, time, times } from '../figures.mjs'

const rates = (measured) => measured.map((each) => each.perSecond)
const medians = (measured) => measured.map((each) => each.p50)

/** Each of them reads, decides, updates with a guard and writes the log, durably, on the same disk. */
const nodeSQLite = (bench, count) => bench.withDatabase((database) => bench.peer('node-sqlite', database, count))
const client = (bench, inFlight, count) => bench.withDatabase((database) => bench.peer('renderstate', database, inFlight, count))

export async function piped(bench) {
  const count = 200_000
  const file = bench.file(transitionLines(count))
  const measured = await bench.rounds({
    renderstate: () =>
      bench.withDatabase(async (database) => ({ perSecond: await bench.pipeTransitions(database, [file], count) })),
    'node:sqlite': () => nodeSQLite(bench, 5_000),
    C: () => bench.withDatabase((database) => bench.c(database, count, 512)),
    'C with the indexes of the store': () => bench.withDatabase((database) => bench.c(database, count, 512, ['tables', 'indexes']))
  })
  const ours = rates(measured.renderstate)
  const row = (theirs, name, limits) => ({
    what: '200,000 transitions piped in from a file',
    figure: perSecond(median(ours)),
    against: `${name}: ${perSecond(median(theirs))}`,
    ratio: times(ratio(ours, theirs)),
    ...limits
  })
  return [
    row(rates(measured['node:sqlite']), 'node:sqlite, 1 a commit', { pass: 'at least 12 ×', aim: 'at least 20 ×' }),
    row(rates(measured.C), 'C, 512 a commit', { pass: 'at least 0.25 ×', aim: 'at least 0.5 ×' }),
    row(rates(measured['C with the indexes of the store']), 'C, 512 a commit, with the indexes of the store')
  ]
}

export async function pipelined(bench) {
  const measured = await bench.rounds({
    'Node client, 256 in flight': () => client(bench, 256, 100_000),
    'node:sqlite': () => nodeSQLite(bench, 5_000)
  })
  const [ours, theirs] = Object.values(measured).map(rates)
  return [
    {
      what: 'transitions through the Node client, 256 in flight',
      figure: perSecond(median(ours)),
      against: `node:sqlite, 1 a commit: ${perSecond(median(theirs))}`,
      ratio: times(ratio(ours, theirs)),
      pass: 'at least 8 ×',
      aim: 'at least 15 ×'
    }
  ]
}

export async function lone(bench) {
  const measured = await bench.rounds({
    'Node client': () => client(bench, 1, 4_000),
    'node:sqlite': () => nodeSQLite(bench, 4_000),
    cat: () => bench.peer('cat', 10_000)
  })
  const [ours, sqlite, cat] = Object.values(measured).map(medians)
  return [
    {
      what: 'a lone transition through the Node client, p50',
      figure: time(median(ours)),
      against: `node:sqlite ${time(median(sqlite))} + a line to cat and back ${time(median(cat))}`,
      ratio: times(ratio(ours, sqlite.map((value, round) => value + cat[round]))),
      pass: 'at most 1.3 ×',
      aim: 'at most 1.1 ×'
    }
  ]
}

/** Others at the same: one in flight, and 64. */
export async function peers(bench) {
  const postgres = (inFlight, count) => bench.peer('postgres', process.env.BENCH_POSTGRES_SOCKET, inFlight, count)
  const redis = (inFlight, count) => bench.peer('redis', process.env.BENCH_REDIS_SOCKET, inFlight, count)
  const c = (count, perCommit) => bench.withDatabase((database) => bench.c(database, count, perCommit))
  const parts = {
    'renderstate, Node client': { 1: () => client(bench, 1, 4_000), 64: () => client(bench, 64, 60_000) },
    'node:sqlite, 1 a commit': { 1: () => nodeSQLite(bench, 4_000) },
    'C, as many a commit': { 1: () => c(4_000, 1), 64: () => c(60_000, 64) },
    'PostgreSQL, node-pg': { 1: () => postgres(1, 4_000), 64: () => postgres(64, 20_000) },
    'Redis, node-redis': { 1: () => redis(1, 4_000), 64: () => redis(64, 40_000) }
  }
  const measured = await bench.rounds(
    Object.fromEntries(
      Object.entries(parts).flatMap(([name, byCount]) => Object.entries(byCount).map(([n, part]) => [`${name}; ${n}`, part]))
    )
  )
  return [1, 64].flatMap((n) => {
    const ours = rates(measured[`renderstate, Node client; ${n}`])
    return Object.keys(parts).filter((name) => `${name}; ${n}` in measured && !name.startsWith('renderstate')).map((name) => ({
      what: `transitions through the Node client, ${n} in flight`,
      figure: perSecond(median(ours)),
      against: `${name}: ${perSecond(median(rates(measured[`${name}; ${n}`])))}`,
      ratio: times(ratio(ours, rates(measured[`${name}; ${n}`])))
    }))
  })
}
