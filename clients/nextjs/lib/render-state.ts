import { RenderStateClient } from 'renderstate'

/**
 * The sidecar's client. All copies of this module in one process share one sidecar, which starts with the first request.
 *
 * RENDERSTATE_DATABASE names the SQLite file, on a disk that lasts; its folder has to exist.
 */
export const client = RenderStateClient.spawn({ database: process.env.RENDERSTATE_DATABASE ?? 'renderstate.sqlite' })
