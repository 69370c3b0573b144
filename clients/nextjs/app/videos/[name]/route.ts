import { createVideoRoute } from 'renderstate/remotion'
import { videoFolder } from '@/lib/video-renderer'

/** The videos of the renderer by ffmpeg, for everybody who knows the name of one; without that renderer, delete this. */
export const GET = createVideoRoute({ folder: videoFolder })
