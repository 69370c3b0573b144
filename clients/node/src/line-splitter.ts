/** Cuts a stream of text into lines. What has no line end yet waits for the next piece. */
export class LineSplitter {
  private partial = ''

  constructor(private readonly onLine: (line: string) => void) {}

  push(piece: string): void {
    let end = piece.indexOf('\n')
    if (end < 0) {
      this.partial += piece
      return
    }
    let start = 0
    if (this.partial !== '') {
      const line = this.partial + piece.slice(0, end)
      this.partial = ''
      this.onLine(line)
      start = end + 1
      end = piece.indexOf('\n', start)
    }
    while (end >= 0) {
      this.onLine(piece.slice(start, end))
      start = end + 1
      end = piece.indexOf('\n', start)
    }
    if (start < piece.length) this.partial = piece.slice(start)
  }

  /** How many characters wait for their line end. */
  get waiting(): number {
    return this.partial.length
  }

  /** Hands out what waits, if anything does, as a line. */
  flush(): void {
    const line = this.partial
    this.partial = ''
    if (line !== '') this.onLine(line)
  }
}
