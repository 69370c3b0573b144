// Starts a render and polls it for ever, and prints each look, until it is killed.   DATABASE ID LEASE_MS
import { RenderStateClient } from 'renderstate'
import { RenderPoller, startRender } from 'renderstate/remotion'
import { fakeRenderer, input, report, site } from '../support/renderer.mjs'

const [database, id, leaseMs] = process.argv.slice(2)
const client = RenderStateClient.spawn({ database })
const look = (_, count) => {
  console.log(`look ${count}`)
  return report({ overallProgress: 0.1 })
}
const renderer = fakeRenderer({ look })
await startRender(client, renderer, id, input)
await new RenderPoller({ client, renderer, ...site, intervalMs: 10, leaseMs: Number(leaseMs) }).poll(id)
