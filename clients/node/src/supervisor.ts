import { RenderStateError } from './errors.js'
import { findBinary } from './find-binary.js'
import { RequestQueue } from './request-queue.js'
import type { InternalRequestOptions, Response } from './request-queue.js'
import { SidecarProcess } from './sidecar-process.js'
import { PROTOCOL_VERSION } from './wire.generated.js'
import type { Initialized, Methods } from './wire.generated.js'

/** What it takes to start a sidecar, and how long its parts may take. */
export interface SupervisorSettings {
  readonly command: string | undefined
  readonly args: readonly string[]
  readonly environment: () => Record<string, string>
  readonly timeouts: SupervisorTimeouts
  readonly maxPendingBytes: number
  readonly log: (message: string) => void
}

export interface SupervisorTimeouts {
  /** From the start of a process to its answer to `initialize`. */
  readonly startMs: number
  /** How long `close` waits for answers and for the exit, all in all, before SIGTERM. */
  readonly closeMs: number
  /** How long it waits after SIGTERM before SIGKILL. */
  readonly killMs: number
}

export interface SupervisorFigures {
  /** How many processes were started after the first. */
  readonly restarts: number
  /** How many promises wait. */
  readonly pendingRequests: number
  /** How much waits for answers, abandoned requests included. */
  readonly pendingBytes: number
}

/** A part of the client that lives across processes. */
export interface SupervisorListener {
  /** A new process answers. Requests made here go before all that wait. */
  onReady(): void
  /** The process is gone. */
  onDown(): void
  /** It was given up: nothing is started until somebody asks again. */
  onGivenUp(error: RenderStateError): void
  onNotification(method: string, params: unknown): void
  /** Whether a process is needed although no request waits. */
  isWaiting(): boolean
}

/** This many processes in a row that achieve nothing end the trying. */
const maxFailures = 7
const firstBackoffMs = 50
const longestBackoffMs = 2000
/** A process that lived this long, with nothing to do, counts as good. */
const goodLifeMs = 1000
/** After giving up, requests get the same error for this long, without a new attempt. */
const giveUpPauseMs = 500

/**
 * Keeps one sidecar running for as long as somebody needs it.
 *
 * It is started with the first request. When it dies it is started again, with growing pauses where it
 * achieved nothing, and what was not answered is sent again. After seven deaths in a row without an answer
 * everything that waits is rejected with one error; the next request after that tries once more.
 */
export class Supervisor {
  private readonly queue: RequestQueue
  private process: SidecarProcess | null = null
  private startedAt = 0
  private starts = 0
  private startTimer: NodeJS.Timeout | null = null
  private restartTimer: NodeJS.Timeout | null = null
  private ready = false
  private everReady = false
  private failures = 0
  private deathMessage: string | null = null
  private givenUp: { readonly error: RenderStateError; readonly until: number } | null = null
  private holds = 0
  private listener: SupervisorListener | null = null
  private closing: Promise<void> | null = null
  private closed = false
  private onIdle: (() => void) | null = null
  private onGone: (() => void) | null = null

  constructor(private readonly settings: SupervisorSettings) {
    this.queue = new RequestQueue(settings.maxPendingBytes, (busy) => {
      if (busy) this.hold()
      else {
        this.release()
        this.onIdle?.()
      }
    })
  }

  setListener(listener: SupervisorListener): void {
    this.listener = listener
  }

  /** The id of the process that runs now, or null. */
  get pid(): number | null {
    return this.process?.pid ?? null
  }

  /** What there is to count. */
  get figures(): SupervisorFigures {
    return { restarts: Math.max(this.starts - 1, 0), pendingRequests: this.queue.size, pendingBytes: this.queue.bytes }
  }

  get isReady(): boolean {
    return this.ready
  }

  request<Name extends keyof Methods>(
    method: Name,
    params: Methods[Name]['params'],
    options: InternalRequestOptions = {}
  ): Promise<Methods[Name]['result']> {
    if (this.closing) return Promise.reject(closedError())
    const refusal = this.refusal()
    if (refusal) return Promise.reject(refusal)
    const answer = this.queue.send<Methods[Name]['result']>(method, params, options)
    this.ensureRunning()
    return answer
  }

  /** Sends a message without an answer to the process that runs now; without one it does nothing. */
  notify<Name extends keyof Methods>(method: Name, params: Methods[Name]['params']): void {
    if (this.ready) this.queue.notify(method, params)
  }

  /** Starts a process if there is none. Does nothing in the pause after giving up. */
  ensureRunning(): void {
    if (this.process !== null || this.restartTimer !== null || this.closed) return
    this.start()
  }

  /** The error that a request would get at once, or null. */
  refusal(): RenderStateError | null {
    if (this.givenUp === null || performance.now() >= this.givenUp.until) return null
    return copyOf(this.givenUp.error)
  }

  /** Keeps the host's event loop alive until as many `release`s were called. */
  hold(): void {
    if (this.holds++ === 0) this.applyHold()
  }

  release(): void {
    if (--this.holds === 0) this.applyHold()
  }

  /** Lets what waits be answered, then ends the process: its stdin, then SIGTERM, then SIGKILL. */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  private start(): void {
    this.deathMessage = null
    try {
      const { command, args, environment, log } = this.settings
      const path = findBinary(command)
      const process: SidecarProcess = new SidecarProcess(path, args, environment(), {
        onLine: (line) => this.takeLine(process, line),
        onLogLine: (line) => log(line),
        onDrain: () => this.ready && this.queue.drained(),
        onExit: (how, code) => this.died(process, how, code)
      })
      this.process = process
    } catch (error) {
      // Either there is no binary, or the operating system refuses: trying again at once would not help.
      this.giveUp(error instanceof RenderStateError ? error : new RenderStateError('sidecarFailed', String(error)))
      return
    }
    this.starts++
    this.startedAt = performance.now()
    this.applyHold()
    this.startTimer = setTimeout(() => {
      this.kill(`did not answer initialize within ${this.settings.timeouts.startMs} ms`)
    }, this.settings.timeouts.startMs)
    this.startTimer.unref()
    const client = { name: 'renderstate-node' }
    const initialize = { jsonrpc: '2.0', id: 'initialize', method: 'initialize', params: { client } }
    this.process.write(`${JSON.stringify(initialize)}\n`)
  }

  private takeLine(process: SidecarProcess, line: string): void {
    // A process that was given up may still have something to say.
    if (process !== this.process || this.deathMessage !== null) return
    let message: Response & { readonly method?: string; readonly params?: unknown }
    try {
      message = JSON.parse(line)
    } catch {
      this.takeNonsense(line)
      return
    }
    if (typeof message !== 'object' || message === null) this.takeNonsense(line)
    else if (!this.ready) this.takeInitialized(message, line)
    else if (message.method !== undefined) this.listener?.onNotification(message.method, message.params)
    else if (!this.queue.receive(message)) this.takeNonsense(line)
  }

  private takeInitialized(message: Response, line: string): void {
    const result = message.result as Partial<Initialized> | undefined
    if (message.id !== 'initialize' || !result || typeof result.protocolVersion !== 'number') {
      this.takeNonsense(line)
    } else if (result.protocolVersion !== PROTOCOL_VERSION) {
      const { name, version } = result.server ?? { name: 'the sidecar', version: 'unknown' }
      this.giveUpOnProtocol(
        `${name} ${version} speaks version ${String(result.protocolVersion)} of the protocol, and this client version ` +
          `${PROTOCOL_VERSION}. Install the versions of both that belong together.`
      )
    } else {
      this.becomeReady()
    }
  }

  private becomeReady(): void {
    if (this.startTimer) clearTimeout(this.startTimer)
    this.ready = true
    this.everReady = true
    this.givenUp = null
    this.listener?.onReady()
    // Only now, so that what the listener asks goes first.
    if (this.process) this.queue.attach(this.process)
  }

  private takeNonsense(line: string): void {
    const said = JSON.stringify(line.length > 200 ? `${line.slice(0, 200)}…` : line)
    if (this.everReady) this.kill(`wrote something that is no message it owed: ${said}`)
    else this.giveUpOnProtocol(`What was started does not speak the protocol of renderstate. It wrote ${said}.`)
  }

  private giveUpOnProtocol(message: string): void {
    const process = this.process
    this.giveUp(new RenderStateError('protocolMismatch', message))
    process?.kill('SIGKILL')
  }

  private kill(reason: string): void {
    this.deathMessage = reason
    this.process?.kill('SIGKILL')
  }

  private died(process: SidecarProcess, how: string, exitCode: number | null): void {
    if (process !== this.process) return
    const wasIdle = this.queue.size === 0
    const livedLong = performance.now() - this.startedAt >= goodLifeMs
    const good = this.ready && (this.queue.answeredSinceAttach > 0 || (wasIdle && livedLong))
    this.forgetProcess()
    if (this.closed) return
    if (!this.isNeeded()) {
      this.settings.log(`the sidecar ${this.deathMessage ?? how}; it is started again when it is needed`)
      return
    }
    this.failures = good ? 0 : this.failures + 1
    const error = new RenderStateError('sidecarFailed', describeDeath(this.deathMessage ?? how, process.log, this.failures))
    // Where the first start ends with its own word on why (code 1: the database, 64: the arguments), or with
    // silence, a second one would end likewise.
    const silent = this.deathMessage !== null
    const refusedToStart = !this.everReady && (process.failure !== null || exitCode === 1 || exitCode === 64 || silent)
    if (refusedToStart || this.failures >= maxFailures) {
      this.giveUp(error)
      return
    }
    const pause = good ? 0 : backoff(this.failures)
    this.restartTimer = setTimeout(() => {
      this.restartTimer = null
      if (this.isNeeded()) this.ensureRunning()
    }, pause)
    this.applyHold()
    // Last, as the logger may make a request of its own.
    this.settings.log(`the sidecar ${this.deathMessage ?? how}; it is started again in ${pause} ms`)
  }

  private giveUp(error: RenderStateError): void {
    this.forgetProcess()
    // One more failure is enough to give up again.
    this.failures = maxFailures - 1
    this.givenUp = { error, until: performance.now() + giveUpPauseMs }
    this.queue.rejectAll(() => copyOf(error))
    this.listener?.onGivenUp(copyOf(error))
    this.settings.log(`gave up: ${error.message}`)
  }

  private forgetProcess(): void {
    if (this.startTimer) clearTimeout(this.startTimer)
    this.process?.setHeld(false)
    this.process = null
    this.ready = false
    this.queue.detach()
    this.listener?.onDown()
    this.onGone?.()
  }

  private isNeeded(): boolean {
    return this.queue.size > 0 || (this.closing === null && this.listener?.isWaiting() === true)
  }

  private applyHold(): void {
    const held = this.holds > 0
    this.process?.setHeld(held)
    if (held) this.restartTimer?.ref()
    else this.restartTimer?.unref()
  }

  private async shutDown(): Promise<void> {
    const { closeMs, killMs } = this.settings.timeouts
    this.hold()
    const deadline = performance.now() + closeMs
    if (this.queue.size > 0) await within(closeMs, (done) => (this.onIdle = done))
    this.closed = true
    if (this.restartTimer) clearTimeout(this.restartTimer)
    const process = this.process
    if (process) {
      const gone = (ms: number) => this.process !== process || within(ms, (done) => (this.onGone = done))
      process.end()
      await gone(Math.max(deadline - performance.now(), 0))
      if (this.process === process) process.kill('SIGTERM')
      await gone(killMs)
      if (this.process === process) process.kill('SIGKILL')
      await gone(killMs)
    }
    this.queue.rejectAll(closedError)
    this.release()
  }
}

/** Waits until `subscribe`'s callback is called, but not longer than that. */
function within(ms: number, subscribe: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    subscribe(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function backoff(failures: number): number {
  const longest = Math.min(firstBackoffMs * 2 ** (failures - 1), longestBackoffMs)
  // Half of it by chance, so that the processes of one machine don't all start at once.
  return Math.round(longest * (0.5 + Math.random() / 2))
}

function describeDeath(how: string, log: string, failures: number): string {
  const times = failures > 1 ? `, the last of ${failures} times in a row` : ''
  const said = log.trim()
  return `The renderstate sidecar ${how}${times}.${said === '' ? '' : ` It said: ${said}`}`
}

/** An error for each promise, so that none shares a stack or is changed by another's handler. */
function copyOf(error: RenderStateError): RenderStateError {
  return new RenderStateError(error.kind, error.message, error.code, error.data)
}

export function closedError(): RenderStateError {
  return new RenderStateError('closed', 'the client is closed')
}
