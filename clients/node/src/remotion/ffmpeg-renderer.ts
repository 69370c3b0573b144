import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LineSplitter } from '../line-splitter.js'
import type { RenderInput, RenderProgressReport, VideoRenderer } from './video-renderer.js'

export interface FfmpegRendererOptions {
  /** Where the videos go; made with the first render if it is missing. */
  readonly folder: string
  /** What the host serves the folder as, such as `/videos`. Without it a video's URL is that of its file. */
  readonly baseUrl?: string | undefined
  /** `ffmpeg` on PATH if absent. */
  readonly command?: string | undefined
}

export interface FfmpegInput extends RenderInput {
  /** The video to encode, or a test picture of that length. */
  source: { readonly file: string } | { readonly seconds: number; readonly lavfi?: string | undefined }
  /** Encodes as fast as the video plays, and no faster. */
  realTime?: boolean | undefined
}

interface Job {
  readonly child: ChildProcess
  seconds: number
  progress: number
  isCancelled: boolean
  /** How it failed; null while it runs. */
  end: RenderProgressReport | null
}

/**
 * The renders of this process that have not become a file. Hot reload evaluates this module again, and bundlers put several
 * copies of it into one process: a render that one route has started is cancelled by another.
 */
const jobsKey = Symbol.for('renderstate.ffmpegJobs/1')

/** Of what ffmpeg says last, how many lines an error has. */
const errorLines = 3

/**
 * Renders on this machine by ffmpeg, for development and self-hosting: MP4 in a folder.
 *
 * A render belongs to the process that started it, and is to be polled there; a finished video is known to every
 * process. It sends no webhooks.
 */
export function ffmpegRenderer(options: FfmpegRendererOptions): Required<VideoRenderer<FfmpegInput>> {
  const { folder, baseUrl, command = 'ffmpeg' } = options
  const jobs = allJobs()
  const videoPath = (renderId: string) => join(folder, videoName(renderId))

  const done = (renderId: string): RenderProgressReport => ({
    overallProgress: 1,
    done: true,
    outputFile: baseUrl === undefined ? pathToFileURL(videoPath(renderId)).href : `${baseUrl}/${videoName(renderId)}`,
    fatalErrorEncountered: false,
    errors: []
  })

  return {
    async renderMediaOnLambda(input) {
      await mkdir(folder, { recursive: true })
      const renderId = randomBytes(8).toString('hex')
      const partial = join(folder, `.${renderId}.part`)
      const child = spawn(command, ffmpegArguments(input, partial), { stdio: ['ignore', 'pipe', 'pipe'] })
      const seconds = 'file' in input.source ? 0 : input.source.seconds
      const job: Job = { child, seconds, progress: 0, isCancelled: false, end: null }
      const said: string[] = []
      follow(job, said)
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', (error) => reject(new Error(`ffmpeg cannot be started: ${error.message}`)))
      })
      jobs.set(renderId, job)
      void ended
        .then(async (code) => {
          if (job.isCancelled) throw Object.assign(new Error('the render was cancelled'), { name: 'CancelledError' })
          if (code !== 0) throw new Error(said.join('\n') || 'ffmpeg was killed')
          await rename(partial, videoPath(renderId))
          // From now on the file says it.
          jobs.delete(renderId)
        })
        .catch(async ({ name, message }: Error) => {
          await rm(partial, { force: true }).catch(() => null)
          job.end = {
            overallProgress: job.progress,
            done: false,
            fatalErrorEncountered: true,
            errors: [{ name, message, isFatal: true }]
          }
        })
      return { renderId, bucketName: 'local' }
    },

    async getRenderProgress({ renderId }) {
      const job = jobs.get(renderId)
      if (job) {
        return job.end ?? { overallProgress: job.progress, done: false, fatalErrorEncountered: false, errors: [] }
      }
      const isThere = isVideoName(videoName(renderId)) && (await access(videoPath(renderId)).then(() => true, () => false))
      if (!isThere) throw new Error('No render ID found')
      return done(renderId)
    },

    async cancelRenderOnLambda({ renderId }) {
      const job = jobs.get(renderId)
      if (!job || job.end) return
      job.isCancelled = true
      job.child.kill('SIGKILL')
    }
  }
}

const videoName = (renderId: string) => `${renderId}.mp4`

/** Whether a video of this renderer may have that name, which leads to no other folder. */
export function isVideoName(name: string): boolean {
  return /^[0-9a-f]{16}\.mp4$/.test(name)
}

function allJobs(): Map<string, Job> {
  const holder = globalThis as { [jobsKey]?: Map<string, Job> }
  return (holder[jobsKey] ??= new Map())
}

function ffmpegArguments({ source, realTime }: FfmpegInput, output: string): string[] {
  const from =
    'file' in source
      ? ['-i', `file:${source.file}`]
      : ['-f', 'lavfi', '-t', String(source.seconds), '-i', source.lavfi ?? 'testsrc2=size=640x360:rate=30']
  const encoding = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-movflags', '+faststart']
  const progress = ['-progress', 'pipe:1', '-stats_period', '0.2', '-nostats']
  return ['-hide_banner', '-nostdin', ...progress, ...(realTime ? ['-re'] : []), ...from, ...encoding, '-f', 'mp4', '-y', `file:${output}`]
}

/** Reads how far ffmpeg is, and what it says last. */
function follow(job: Job, said: string[]): void {
  const { stdout, stderr } = job.child
  const progress = new LineSplitter((line) => {
    const [, time] = /^out_time_us=(\d+)$/.exec(line) ?? []
    // The last of it belongs to the file, which is not there until ffmpeg has ended.
    if (time !== undefined && job.seconds > 0) job.progress = Math.min(0.99, Number(time) / 1e6 / job.seconds)
  })
  const log = new LineSplitter((line) => {
    const [, hours, minutes, seconds] = /^ +Duration: (\d+):(\d+):([\d.]+)/.exec(line) ?? []
    if (job.seconds === 0 && hours !== undefined) job.seconds = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
    if (line.trim() === '') return
    said.push(line.trim())
    if (said.length > errorLines) said.shift()
  })
  stdout?.setEncoding('utf8').on('data', (piece: string) => progress.push(piece))
  stderr?.setEncoding('utf8').on('data', (piece: string) => log.push(piece))
}
