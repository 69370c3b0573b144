import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { LineSplitter } from './line-splitter.js'

/** How long the pipes of a process that has exited may stay open, and a process whose pipes are shut may live. */
const lingerMs = 1000
/** The longest piece of stderr that is handed on as one line, and how much of it is kept for error messages. */
const longestLogLine = 8192

/** What a process tells. All of it comes in order, and nothing after `onExit`. */
export interface SidecarProcessEvents {
  onLine(line: string): void
  onLogLine(line: string): void
  /** The process takes text again, after a `write` that answered false. */
  onDrain(): void
  /** The process is gone. `reason` reads on from "the sidecar …". */
  onExit(reason: string, exitCode: number | null): void
}

/** One running process: text in, lines out. Started without a shell; never started again. */
export class SidecarProcess {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  private exited = false
  private held = true
  private startError: NodeJS.ErrnoException | null = null
  private recentLog = ''

  constructor(
    command: string,
    args: readonly string[],
    environment: Record<string, string>,
    private readonly events: SidecarProcessEvents
  ) {
    this.child = spawn(command, args, {
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      windowsHide: true
    })
    this.child.on('error', (error) => {
      // A signal that could not be sent ends here, too.
      if (this.child.pid === undefined) this.startError ??= error
    })
    this.readOutput()
    this.readLog()
    this.child.stdin.on('drain', () => this.events.onDrain())
    // EPIPE and the like: the process is going, or has shut its stdin and is of no use any more.
    this.child.stdin.on('error', () => this.killIfItLingers())
    this.child.stdout.on('end', () => this.killIfItLingers())
    this.child.once('close', (code, signal) => this.finish(code, signal))
    this.child.once('exit', (code, signal) => {
      // A child of its own may hold the pipes open; its end does not wait for that.
      setTimeout(() => {
        this.child.stdout.destroy()
        this.child.stderr.destroy()
        this.finish(code, signal)
      }, lingerMs).unref()
    })
    unref(this.child.stdin)
    unref(this.child.stderr)
    this.setHeld(false)
  }

  /** The process id, or null if it could not be started. */
  get pid(): number | null {
    return this.child.pid ?? null
  }

  /** The error of the operating system that kept it from starting, if there was one. */
  get failure(): NodeJS.ErrnoException | null {
    return this.startError
  }

  /** The end of what it has written to stderr. */
  get log(): string {
    return this.recentLog
  }

  /** Writes text. False: hold further text back until `onDrain`. */
  write(text: string): boolean {
    return this.child.stdin.write(text)
  }

  /** Whether this process keeps the host's event loop alive. */
  setHeld(held: boolean): void {
    if (held === this.held) return
    this.held = held
    if (held) {
      this.child.ref()
      ref(this.child.stdout)
    } else {
      this.child.unref()
      unref(this.child.stdout)
    }
  }

  /** Ends its stdin: the sidecar then answers what it has read and exits. */
  end(): void {
    this.child.stdin.end()
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.child.kill(signal)
  }

  private readOutput(): void {
    const lines = new LineSplitter((line) => {
      if (!this.exited) this.events.onLine(line)
    })
    this.child.stdout.setEncoding('utf8')
    this.child.stdout.on('data', (piece: string) => lines.push(piece))
    this.child.stdout.on('error', () => this.killIfItLingers())
  }

  /** stderr is always read: a full pipe would block the sidecar. */
  private readLog(): void {
    const lines = new LineSplitter((line) => this.events.onLogLine(line))
    this.child.stderr.setEncoding('utf8')
    this.child.stderr.on('data', (piece: string) => {
      this.recentLog = (this.recentLog + piece).slice(-longestLogLine)
      lines.push(piece)
      if (lines.waiting > longestLogLine) lines.flush()
    })
    this.child.stderr.on('end', () => lines.flush())
    this.child.stderr.on('error', () => undefined)
  }

  private killIfItLingers(): void {
    if (this.exited) return
    setTimeout(() => {
      if (!this.exited) this.child.kill('SIGKILL')
    }, lingerMs).unref()
  }

  private finish(code: number | null, signal: string | null): void {
    if (this.exited) return
    this.exited = true
    const how = this.startError
      ? `could not be started (${this.startError.message})`
      : signal
        ? `was ended by ${signal}`
        : `exited with code ${code}`
    this.events.onExit(how, code)
  }
}

/** Pipes of a child are sockets, which know ref and unref; their declared type does not say so. */
function ref(stream: Readable | Writable): void {
  ;(stream as unknown as { ref?(): void }).ref?.()
}

function unref(stream: Readable | Writable): void {
  ;(stream as unknown as { unref?(): void }).unref?.()
}
