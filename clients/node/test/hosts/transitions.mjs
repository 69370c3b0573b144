// Takes one render from start to cancel, and closes.   DATABASE ID
import { RenderStateClient } from 'renderstate'

const [database, id] = process.argv.slice(2)
const client = RenderStateClient.spawn({ database })
await client.transition(id, 'start')
await client.transition(id, 'progress', { context: { progress: 50 } })
await client.transition(id, 'cancel')
await client.close()
