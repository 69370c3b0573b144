import { RenderPoller } from 'renderstate/remotion'
import { client } from '@/lib/render-state'
import { site } from '@/lib/video-renderer'

const holder = globalThis as { [key: symbol]: RenderPoller | undefined }
const key = Symbol.for('app.renderPoller')

/** The one poller of this process: Next.js evaluates this module for each route and for instrumentation.ts. */
export const poller = (holder[key] ??= new RenderPoller({ client, ...site, logger: console.warn }))
