import type { Status } from '../wire.generated.js'
import type { VideoRenderer } from './video-renderer.js'

/**
 * Tells the renderer to stop a render that was cancelled, as in `onCancel` of `createCancelRoute`. Does nothing where the renderer
 * has not given it a renderId, or cannot stop one. Rejects with what the renderer throws.
 *
 * A cancel that comes while the renderer is being called has no renderId: then `beginRender` stops it.
 */
export async function stopRender(
  renderer: Pick<VideoRenderer, 'cancelRenderOnLambda'>,
  { renderId, bucketName }: Pick<Status, 'renderId' | 'bucketName'>,
  { region }: { readonly region: string }
): Promise<void> {
  if (renderId === null || bucketName === null) return
  await renderer.cancelRenderOnLambda?.({ renderId, bucketName, region })
}
