// The sidecar at the end of bare pipes, and other programs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

export const binary = process.env.RENDERSTATE_BIN

/** A program with these streams. `run` ends what is left of it. */
export function start(command, args, stdio) {
  const child = spawn(command, args, { stdio })
  child.once('error', (error) => {
    throw error
  })
  return child
}

/** What a program prints, when it has ended well. */
export async function output(command, args) {
  const child = start(command, args, ['ignore', 'pipe', 'inherit'])
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${code}`)
  return text
}

/** Pipes a file in and counts what comes out, as a shell does. Resolves to the seconds from start to exit. */
export async function pipeFile(database, file, answers) {
  const begin = performance.now()
  const lines = await output('sh', ['-c', '"$1" serve --database "$2" <"$3" | wc -l', 'sh', binary, database, file])
  const seconds = (performance.now() - begin) / 1000
  if (Number(lines) !== answers) throw new Error(`${answers} lines should have come back, and not ${lines.trim()}`)
  return seconds
}

/** One sidecar, without a client between. */
export class Sidecar {
  #id = 0
  #waiting = new Map()
  #rest = ''
  #onLine = (line) => {
    const message = JSON.parse(line)
    if (message.method) return this.onNotification(message.params)
    const { resolve, reject } = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.error) reject(new Error(line))
    else resolve(message.result)
  }
  #onData = (chunk) => {
    const pieces = (this.#rest + chunk.toString('latin1')).split('\n')
    this.#rest = pieces.pop()
    for (const line of pieces) this.#onLine(line)
  }

  /** Called with the params of each notification. */
  onNotification = () => null

  constructor(database, ...args) {
    this.process = start(binary, ['serve', '--database', database, ...args], ['pipe', 'pipe', 'inherit'])
    this.process.stdout.on('data', (chunk) => this.#onData(chunk))
  }

  get pid() {
    return this.process.pid
  }

  ask(method, params = {}) {
    const id = ++this.#id
    this.process.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  /** Sends all of it at once and waits until so many lines have come. Resolves to the seconds that it took. */
  async pipe(text, answers) {
    const begin = performance.now()
    const onData = this.#onData
    await new Promise((resolve) => {
      let left = answers
      this.#onData = (chunk) => {
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) left -= 1
        if (left === 0) resolve()
      }
      this.process.stdin.write(text)
    })
    this.#onData = onData
    return (performance.now() - begin) / 1000
  }

  /** Sends what needs no answer, piece by piece. */
  async send(pieces) {
    for (const piece of pieces) {
      if (!this.process.stdin.write(piece)) await once(this.process.stdin, 'drain')
    }
  }

  /** The time of a processor that it has used so far, in seconds. */
  get processorTime() {
    const threads = readdirSync(`/proc/${this.pid}/task`)
    const nanoseconds = threads.map((thread) => readFileSync(`/proc/${this.pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
    return nanoseconds.reduce((sum, each) => sum + Number(each), 0) / 1e9
  }

  /** The memory that it holds now, in MiB. */
  get memory() {
    return Number(/VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]) / 1024
  }

  /** Ends it, and makes sure that it has refused nothing. */
  async close() {
    const { methods } = await this.ask('stats')
    for (const [method, { errors }] of Object.entries(methods)) {
      if (errors > 0) throw new Error(`${errors} of ${method} were refused`)
    }
    this.process.stdin.end()
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit')
    if (this.process.exitCode !== 0) throw new Error(`the sidecar ended with code ${this.process.exitCode}`)
  }
}
