export { beginRender, startRender } from './start-render.js'
export type { BeginRenderOptions, BeginRenderResult, StartRenderOptions, StartRenderResult } from './start-render.js'
export { stopRender } from './stop-render.js'
export type {
  RenderErrorReport,
  RenderInput,
  RenderProgressInput,
  RenderProgressReport,
  RenderReference,
  RenderSite,
  RenderWebhook,
  StartedRender,
  VideoRenderer
} from './video-renderer.js'
export { createRemotionWebhookRoute } from './webhook.js'
export type { RemotionWebhookOptions } from './webhook.js'
export { signWebhook } from './webhook-signature.js'
export { RenderPoller } from './poller.js'
export type { RenderPollerOptions } from './poller.js'
export { ffmpegRenderer } from './ffmpeg-renderer.js'
export type { FfmpegInput, FfmpegRendererOptions } from './ffmpeg-renderer.js'
export { createVideoRoute } from './video-route.js'
export type { VideoRouteHandler, VideoRouteOptions } from './video-route.js'
