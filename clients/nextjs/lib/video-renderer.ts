import { ffmpegRenderer } from 'renderstate/remotion'
import type { FfmpegInput, RenderWebhook } from 'renderstate/remotion'

// EDIT THIS: which renderer makes the videos, and of what. As it is: ffmpeg on this machine, with a test picture. The
// README of the overlay has the lines for Remotion Lambda.

/** Where ffmpeg puts the videos; `app/videos/[name]/route.ts` serves them. */
export const videoFolder = process.env.VIDEO_FOLDER ?? 'videos'

export const renderer = ffmpegRenderer({ folder: videoFolder, baseUrl: '/videos' })

/** Where the renders run. */
export const site = { renderer, region: 'local', functionName: 'ffmpeg' }

/** What is to be rendered for a patch note. */
export function renderInput(_id: string): FfmpegInput {
  return { region: site.region, functionName: site.functionName, source: { seconds: 5 }, realTime: true }
}

/** Where the renderer reports the end of a render; ffmpeg does not. */
export const webhook: Pick<RenderWebhook, 'url' | 'secret'> | undefined = undefined
