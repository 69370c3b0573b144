import type { WatchEvent } from '../watch.js'
import { TERMINAL_STATES } from '../wire.generated.js'
import type { Status } from '../wire.generated.js'

interface News {
  readonly status: Status
  /** The viewer has all changes up to this one when it has this; null where that is not sure. */
  readonly seq: number | null
}

/**
 * What one viewer has not been told yet: of each render the latest status only, so that a slow one costs no more
 * memory than a quick one.
 */
export class StatusEvents {
  /** In the order of their seqs: an id that is told implies all before it. */
  private readonly waiting = new Map<string, News>()
  private readonly unfinished: Set<string>

  constructor(
    ids: readonly string[],
    private readonly toData: (status: Status) => object
  ) {
    this.unfinished = new Set(ids)
  }

  /** Whether all renders have ended, by what is known last. */
  get areOver(): boolean {
    return this.unfinished.size === 0
  }

  get isEmpty(): boolean {
    return this.waiting.size === 0
  }

  take(event: WatchEvent): void {
    if (event.type === 'snapshot') this.takeSnapshot(event.seq, event.statuses, 0)
    else this.add(event.status, event.seq)
  }

  /** The renders as they are, with all changes up to `seq`, to a viewer that has those up to `toldSeq`. */
  takeSnapshot(seq: number, statuses: readonly Status[], toldSeq: number): void {
    this.waiting.clear()
    for (const status of [...statuses].sort((one, other) => one.seq - other.seq)) {
      // A status may be ahead of the snapshot, and changes of the other renders before it may be still to come.
      const seqIsSure = status.seq > 0 && status.seq <= seq
      if (toldSeq === 0 || status.seq > toldSeq) this.add(status, seqIsSure ? status.seq : null)
      else this.note(status)
    }
  }

  /** The events that wait, as text; with `end` behind them if all renders have ended. */
  drain(): string {
    let text = ''
    for (const { status, seq } of this.waiting.values()) {
      const id = seq === null ? '' : `id: ${seq}\n`
      // JSON has no line breaks and no NUL of its own, and those in strings are escaped.
      text += `${id}event: status\ndata: ${JSON.stringify(this.toData(status))}\n\n`
    }
    this.waiting.clear()
    return this.areOver ? `${text}event: end\ndata: {}\n\n` : text
  }

  private add(status: Status, seq: number | null): void {
    this.waiting.delete(status.id)
    this.waiting.set(status.id, { status, seq })
    this.note(status)
  }

  private note({ id, state }: Status): void {
    if (TERMINAL_STATES.includes(state)) this.unfinished.delete(id)
    else this.unfinished.add(id)
  }
}
