import { storable } from '../fail-attempt.js'
import type { RenderErrorReport, RenderProgressReport } from './video-renderer.js'

/** What a look at the renderer's progress means. `progress` is that of the store, 0 to 100. */
export type Outcome =
  | { readonly type: 'running'; readonly progress: number }
  | { readonly type: 'done'; readonly videoUrl: string | null }
  | { readonly type: 'cancelled'; readonly message: string }
  | { readonly type: 'timeout'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string }

export interface FileLocation {
  readonly bucketName: string | null
  readonly region: string | null
}

export function outcomeOf(report: RenderProgressReport, location: FileLocation): Outcome {
  const { outputFile } = report
  // A finished render has been reported as timed out while its file was there.
  if (report.done || (report.fatalErrorEncountered && typeof outputFile === 'string' && outputFile !== '')) {
    return { type: 'done', videoUrl: videoUrlOf([outputFile], location) }
  }
  if (!report.fatalErrorEncountered) {
    const progress = Number.isFinite(report.overallProgress) ? report.overallProgress * 100 : 0
    return { type: 'running', progress: Math.min(100, Math.max(0, progress)) }
  }
  const fatal = firstFatal(report.errors)
  const message = messageOfFatal(fatal)
  if (fatal?.name === 'CancelledError') return { type: 'cancelled', message }
  return { type: isTimeout(fatal) ? 'timeout' : 'failed', message }
}

/** The message of the error that ended the render. */
export function fatalMessage(errors: unknown): string {
  return messageOfFatal(firstFatal(errors))
}

/** The first URL, or path of the host, among what the renderer says; a key in the bucket becomes one where the region is known. */
export function videoUrlOf(files: readonly unknown[], { bucketName, region }: FileLocation): string | null {
  const names = files.filter((file): file is string => typeof file === 'string' && file !== '')
  const url = names.find((name) => /^(\/|[a-z][a-z\d+.-]*:\/\/)/i.test(name))
  const [key] = names
  if (url !== undefined || key === undefined) return url ?? null
  if (bucketName === null || region === null) return key
  return `https://${bucketName}.s3.${region}.amazonaws.com/${key.split('/').map(encodeURIComponent).join('/')}`
}

/** What is no list of errors names none. */
function firstFatal(errors: unknown): RenderErrorReport | undefined {
  const reports: RenderErrorReport[] = Array.isArray(errors) ? errors : []
  return reports.find((error) => error?.isFatal) ?? reports[0]
}

function messageOfFatal(fatal: RenderErrorReport | undefined): string {
  return storable(fatal?.message) ?? 'the renderer failed without saying why'
}

function isTimeout(fatal: RenderErrorReport | undefined): boolean {
  return /time(d )?-?out/i.test(`${fatal?.name ?? ''} ${fatal?.message ?? ''}`)
}
