// The members of `@remotion/lambda/client` that are used, typed here, so that it is no dependency.

/** What a renderer is told to call when the render has ended. */
export interface RenderWebhook {
  readonly url: string
  /** Null leaves the webhooks unsigned, and the route refuses those unless told otherwise. */
  readonly secret: string | null
  readonly customData?: Record<string, unknown>
}

/** Of the input of a render, what this package reads or writes. */
export interface RenderInput {
  region: string
  functionName: string
  webhook?: RenderWebhook | null | undefined
}

export interface StartedRender {
  readonly renderId: string
  readonly bucketName: string
}

/** Which render of the renderer is meant, and where it runs. */
export interface RenderReference {
  renderId: string
  bucketName: string
  region: string
}

export interface RenderProgressInput extends RenderReference {
  functionName: string
  /** Reads the progress from the bucket, without a paid call of the function. */
  skipLambdaInvocation?: boolean
}

export interface RenderErrorReport {
  readonly message: string
  readonly name?: string | undefined
  readonly isFatal?: boolean | undefined
}

export interface RenderProgressReport {
  /** 0 to 1; may fall. */
  readonly overallProgress: number
  readonly done: boolean
  /** A URL, or in old versions a key in the bucket. */
  readonly outputFile?: string | null | undefined
  readonly fatalErrorEncountered: boolean
  /** Not all of them are the end of the render: see `fatalErrorEncountered`. */
  readonly errors: readonly RenderErrorReport[]
  readonly timeoutTimestamp?: number | undefined
}

/**
 * Renders videos: the functions of Remotion Lambda, `{renderMediaOnLambda, getRenderProgress, cancelRenderOnLambda}`,
 * or anything else of that shape.
 */
export interface VideoRenderer<Input extends RenderInput = RenderInput> {
  renderMediaOnLambda(input: Input): Promise<StartedRender>
  getRenderProgress(input: RenderProgressInput): Promise<RenderProgressReport>
  /** Where it is missing, a render that is of no use any more runs to its end. */
  cancelRenderOnLambda?(input: RenderReference): Promise<unknown>
}

/** A renderer, and where its renders run. */
export interface RenderSite {
  readonly renderer: Pick<VideoRenderer, 'getRenderProgress'>
  readonly region: string
  readonly functionName: string
}
