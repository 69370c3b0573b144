// Makes one request, prints the sidecar's pid, and comes to its end without closing.   DATABASE
import { RenderStateClient } from 'renderstate'

const client = RenderStateClient.spawn({ database: process.argv[2] })
// Neither a watch that nobody reads from, nor a sidecar that is idle, is a reason to stay.
const watch = client.watch('a')
await watch.next()
await client.transition('a', 'start')
console.log(client.pid)
