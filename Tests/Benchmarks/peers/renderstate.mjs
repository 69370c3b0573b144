// The Node client of the sidecar.
//
//   node peers/renderstate.mjs DATABASE IN_FLIGHT COUNT
import { RenderStateClient } from '../../../clients/node/dist/index.js'
import { load } from './load.mjs'

const [database, inFlight, count] = process.argv.slice(2)
const client = RenderStateClient.spawn({ database })
const change = (id, { event, context }) => client.transition(id, event, { context, actor: 'host' })
console.log(JSON.stringify(await load(change, { inFlight: Number(inFlight), count: Number(count) })))
await client.close()
