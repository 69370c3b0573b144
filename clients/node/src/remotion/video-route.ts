import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { isVideoName } from './ffmpeg-renderer.js'

export interface VideoRouteOptions {
  /** The folder of the `ffmpegRenderer`. */
  readonly folder: string
}

/** A route handler of Next.js in a folder named `[name]`. */
export type VideoRouteHandler = (request: Request, context: { params: Promise<{ name: string }> }) => Promise<Response>

/** The first and the last byte that are asked for; `whole` where that is all, and null where there are none of them. */
type Range = { readonly first: number; readonly last: number } | 'whole' | null

/**
 * GET: a video that the `ffmpegRenderer` has made, whole or the part that a player asks for (206; 416 beyond its end).
 *
 * It asks nobody: who knows a video's name may see it, as in a public bucket. The names have 64 random bits.
 */
export function createVideoRoute({ folder }: VideoRouteOptions): VideoRouteHandler {
  return async (request, { params }) => {
    const { name } = await params
    const file = typeof name === 'string' && isVideoName(name) ? await opened(join(folder, name)) : null
    if (file === null) return new Response(null, { status: 404, headers: { 'Cache-Control': 'no-store' } })
    let isStreamed = false
    try {
      const { size } = await file.stat()
      const range = rangeOf(request.headers, size)
      const headers = new Headers({
        'Accept-Ranges': 'bytes',
        // A video of this name never changes.
        'Cache-Control': 'private, max-age=31536000, immutable',
        'Content-Type': 'video/mp4',
        'X-Content-Type-Options': 'nosniff'
      })
      if (range === null) {
        headers.set('Content-Range', `bytes */${size}`)
        headers.set('Cache-Control', 'no-store')
        return new Response(null, { status: 416, headers })
      }
      const { first, last } = range === 'whole' ? { first: 0, last: size - 1 } : range
      headers.set('Content-Length', String(last - first + 1))
      if (range !== 'whole') headers.set('Content-Range', `bytes ${first}-${last}/${size}`)
      const status = range === 'whole' ? 200 : 206
      if (request.method === 'HEAD' || size === 0) return new Response(null, { status, headers })
      isStreamed = true
      // Closes the file at its end, and when the viewer goes.
      const stream = file.createReadStream({ start: first, end: last })
      return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, { status, headers })
    } finally {
      if (!isStreamed) await file.close()
    }
  }
}

async function opened(path: string): Promise<FileHandle | null> {
  try {
    return await open(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** What is no range that we know, several of them, or one that depends on another version, is the whole file. */
function rangeOf(headers: Headers, size: number): Range {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.get('Range') ?? '') ?? []
  if ((from === '' && to === '') || headers.has('If-Range')) return 'whole'
  if (from === '') {
    const count = Math.min(Number(to), size)
    return count > 0 ? { first: size - count, last: size - 1 } : null
  }
  const first = Number(from)
  if (to !== '' && Number(to) < first) return 'whole'
  return first < size ? { first, last: Math.min(to === '' ? Infinity : Number(to), size - 1) } : null
}
