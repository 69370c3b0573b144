import { RenderStateClient } from 'renderstate'

/**
 * The sidecar's client. All copies of this module in one process share one sidecar, which starts with the first request.
 *
 * RENDERSTATE_DATABASE names the SQLite file, on a disk that lasts; its folder has to exist. The timeouts fail a render whose
 * process died before the renderer was called, and one whose progress stands still; else it would be active for ever.
 */
export const client = RenderStateClient.spawn({
  database: process.env.RENDERSTATE_DATABASE ?? 'renderstate.sqlite',
  args: ['--queued-timeout', '5m', '--stall-timeout', '15m']
})
