// Works until it is killed.   DATABASE
import { RenderStateClient } from 'renderstate'

const client = RenderStateClient.spawn({ database: process.argv[2] })
await client.transition('a', 'start')
console.log(client.pid)
for (;;) await client.transition('a', 'progress')
