// Starts a host process of its own: one of the programs in test/hosts.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * `ended` resolves with `{code, signal}` when the host has exited; `lines` fills with what it prints, and `line(n)` waits
 * for the line of that number.
 */
export function spawnHost(t, program, args) {
  const path = fileURLToPath(new URL(`../hosts/${program}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const lines = []
  const waiting = []
  let partial = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (piece) => {
    const parts = (partial + piece).split('\n')
    partial = parts.pop()
    lines.push(...parts)
    for (const check of [...waiting]) check()
  })
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const line = (index) =>
    new Promise((resolve, reject) => {
      const check = () => lines.length > index && resolve(lines[index])
      waiting.push(check)
      check()
      void ended.then(() => setImmediate(() => reject(new Error(`the host has ended after ${lines.length} lines`))))
    })
  return { child, ended, lines, line }
}
