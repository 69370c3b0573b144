// A line to `cat` and back: what a process on the other end of a pipe costs, whatever it does.
//
//   node peers/cat.mjs COUNT
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { load } from './load.mjs'

const cat = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
let answered
cat.stdout.on('data', (chunk) => {
  if (chunk[chunk.length - 1] === 10) answered()
})
const line = '{"jsonrpc":"2.0","id":1234,"method":"getStatus","params":{"id":"render-123"}}\n'
const change = () =>
  new Promise((resolve) => {
    answered = resolve
    cat.stdin.write(line)
  })
console.log(JSON.stringify(await load(change, { inFlight: 1, count: Number(process.argv[2]) })))
cat.stdin.end()
await once(cat, 'exit')
