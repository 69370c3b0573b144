// Waits for a render to end, and prints its state: a promise that waits keeps a host alive.   DATABASE ID
import { RenderStateClient } from 'renderstate'

const [database, id] = process.argv.slice(2)
const client = RenderStateClient.spawn({ database })
await client.transition(id, 'start')
console.log(client.pid)
console.log((await client.waitFor(id)).state)
