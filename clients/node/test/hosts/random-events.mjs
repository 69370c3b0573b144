// Sends many events to one render, some with metadata, and prints its last status.   DATABASE ID COUNT
import { RenderStateClient } from 'renderstate'
import { numbers } from '../support/sidecar.mjs'

const [database, id, count] = process.argv.slice(2)
const client = RenderStateClient.spawn({ database })
const next = numbers(11)
await client.transition(id, 'start', { context: { metadata: { began: true } } })
for (let index = 0; index < Number(count); index += 1) {
  const event = ['start', 'progress', 'progress', 'progress', 'cancel'][next(5)]
  const metadata = { [`key${next(6)}`]: next(3) === 0 ? null : index }
  await client.transition(id, event, { context: { metadata } }).catch(() => null)
}
// Ends on an accepted event, which the watch of the test waits for.
const { status } = await client.regenerate(id).catch(() => client.transition(id, 'progress'))
await client.close()
console.log(JSON.stringify(status))
