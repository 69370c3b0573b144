export type { VideoRenderConnection, VideoRenderStatus } from './status-connection.js'
export { useVideoRenderStatus } from './use-video-render-status.js'
export type { UseVideoRenderStatusOptions, UseVideoRenderStatusResult } from './use-video-render-status.js'
