// Figures and how they are written.
export const sorted = (values) => [...values].sort((a, b) => a - b)
export const median = (values) => percentile(values, 0.5)

/** The value that this share of the values does not exceed. */
export const percentile = (values, share) => sorted(values)[Math.min(Math.floor(values.length * share), values.length - 1)]

/** The median of what it was in each round. */
export const ratio = (ours, theirs) => median(ours.map((value, round) => value / theirs[round]))

const grouped = (value) => Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 3 })

export const perSecond = (value) => `${grouped(value)}/s`
export const times = (value) => `${grouped(value)} ×`
export const mebibytes = (value) => `${grouped(value)} MiB`
export const percent = (value) => `${grouped(value * 100)} %`

/** A time that is given in milliseconds. */
export function time(value) {
  if (value < 1) return `${grouped(value * 1000)} µs`
  return value < 1000 ? `${grouped(value)} ms` : `${grouped(value / 1000)} s`
}

/** A table of Markdown. */
export const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
