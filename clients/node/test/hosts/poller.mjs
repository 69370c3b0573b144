// Polls a render for ever, and prints each look, until it is killed.   DATABASE ID LEASE_MS
import { RenderStateClient } from 'renderstate'
import { RenderPoller } from 'renderstate/remotion'
import { fakeRenderer, report, site } from '../support/renderer.mjs'

const [database, id, leaseMs] = process.argv.slice(2)
const client = RenderStateClient.spawn({ database })
const look = (_, count) => {
  console.log(`look ${count}`)
  return report({ overallProgress: 0.1 })
}
await new RenderPoller({ client, renderer: fakeRenderer({ look }), ...site, intervalMs: 10, leaseMs: Number(leaseMs) }).poll(id)
