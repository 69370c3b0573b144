// Redis over its Unix socket by node-redis: a Lua compare-and-set that also appends to a stream. Fsync at every write.
//
//   node peers/redis.mjs SOCKET IN_FLIGHT COUNT
import { createRequire } from 'node:module'
import { attemptAt, load, stateBefore } from './load.mjs'

const { createClient } = createRequire(import.meta.url)('redis')
const [path, inFlight, count] = process.argv.slice(2)
const client = createClient({ socket: { path } })
await client.connect()
await client.flushAll()

const sha = await client.scriptLoad(`
  local now = redis.call('HMGET', KEYS[1], 'version', 'state')
  if (now[1] or '0') ~= ARGV[1] or (now[2] or 'idle') ~= ARGV[2] then return redis.error_reply('somebody was faster') end
  local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
  redis.call('HSET', KEYS[1], 'state', ARGV[3], 'event', ARGV[4], 'progress', ARGV[5], 'renderId', ARGV[6],
    'error', ARGV[7], 'attempt', ARGV[8], 'updatedAt', ARGV[9])
  redis.call('XADD', KEYS[2], '*', 'id', KEYS[1], 'event', ARGV[4], 'previousState', ARGV[2], 'state', ARGV[3],
    'progress', ARGV[5], 'renderId', ARGV[6], 'error', ARGV[7], 'attempt', ARGV[8], 'version', version, 'actor', 'host')
  return version`)

const change = (id, { event, state, context }, step) => {
  const { progress = 0, renderId = '', error = '' } = context ?? {}
  const values = [step, stateBefore(id, step), state, event, progress, renderId, error, attemptAt(step), Date.now()]
  return client.evalSha(sha, { keys: [id, 'transitions'], arguments: values.map(String) })
}
console.log(JSON.stringify(await load(change, { inFlight: Number(inFlight), count: Number(count) })))
await client.quit()
