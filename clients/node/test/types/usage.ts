// The README's example, and what the types have to allow and to refuse. Only checked, never run.
import { InvalidTransitionError, RenderStateClient, RenderStateError } from 'renderstate'
import type { Status, WatchEvent } from 'renderstate'
import {
  createActionsRoute,
  createCancelRoute,
  createDashboardStreamRoute,
  createHistoryRoute,
  createRegenerateRoute,
  createStatusesStreamRoute,
  createStatusRoute,
  createStatusStreamRoute,
  statusStream
} from 'renderstate/next'
import { useVideoDashboard, useVideoRenderStatus } from 'renderstate/react'

export async function usage(signal: AbortSignal): Promise<Status> {
  const client = RenderStateClient.spawn({ database: 'renders.sqlite', logger: (line) => console.error(line) })
  try {
    await client.transition('intro', 'start', { actor: 'web', timeouts: { stallMs: 60_000 }, signal })
  } catch (error) {
    if (error instanceof InvalidTransitionError) return error.status
    if (error instanceof RenderStateError && error.kind === 'storeBusy') console.log(error.data)
    throw error
  }
  for await (const event of client.watch({ ids: ['intro'], states: ['completed'] }, { afterSeq: 3, signal })) {
    if (event.type === 'snapshot') console.log(event.statuses[0]?.progress)
    else console.log(event.change.event, event.status.state)
  }
  const events: AsyncIterableIterator<WatchEvent> = client.watch('intro')
  await events.return?.()
  for await (const status of client.allStatuses({ states: ['failed'] })) console.log(status.error)
  // @ts-expect-error: there is no such event
  await client.transition('intro', 'explode')
  // @ts-expect-error: a misspelt option
  await client.transition('intro', 'start', { expectedVerison: 1 })
  const status = await client.waitFor('intro', { states: ['completed', 'failed'], signal })
  // @ts-expect-error: statuses are shared and not to be changed
  status.progress = 100
  await client.close()
  return status
}

export function nextUsage(client: RenderStateClient) {
  const authorize = async (request: Request, action: string, id: string) => request.headers.has('Cookie') && action !== id
  // @ts-expect-error: somebody has to say who may do what
  createStatusRoute({ client })
  // @ts-expect-error: who may see one render is not thereby one who may see all of them
  createDashboardStreamRoute({ client, authorize })
  // @ts-expect-error: something has to begin the render
  createRegenerateRoute({ client, authorize })
  const GET: (request: Request, context: { params: Promise<{ id: string }> }) => Promise<Response> = createStatusRoute({
    client: () => client,
    authorize
  })
  return {
    GET,
    stream: createStatusStreamRoute({ client, authorize, maxLifeMs: 50_000, answer: ({ id, attempt }) => ({ id, attempt }) }),
    POST: createRegenerateRoute({ client, authorize: () => {}, onStart: async ({ id }) => console.log(id) }),
    cancel: createCancelRoute({ client, authorize, onCancel: async ({ renderId, bucketName }) => console.log(renderId, bucketName) }),
    history: createHistoryRoute({ client, authorize, answer: ({ event, at }) => ({ event, at }) }),
    board: createStatusesStreamRoute({ client, authorize, maxIds: 10, heartbeatMs: 1000 }) as (request: Request) => Promise<Response>,
    actions: createActionsRoute({ authorize }),
    dashboard: createDashboardStreamRoute({ client, authorize: async (request, action) => action === 'dashboard' && request.headers.has('Cookie') }),
    many: (request: Request) => statusStream(client, request, ['intro', 'outro'])
  }
}

export function reactUsage(id: string): string {
  const { status, progress, videoUrl, error, connection, refresh } = useVideoRenderStatus(id, {
    basePath: '/api/renders',
    initial: { status: 'queued', progress: 0 }
  })
  // @ts-expect-error: there is no such connection
  if (connection === 'broken') refresh()
  // @ts-expect-error: it is null until it is known
  const state: string = status
  return videoUrl ?? error ?? `${state} ${progress}`
}

export function dashboardUsage(): string {
  const { renders, connection, refresh } = useVideoDashboard({ url: '/api/renders' })
  if (connection === 'lost') refresh()
  // @ts-expect-error: they are null until they are known
  const count: number = renders.size
  return renders?.get('intro')?.updatedAt ?? `${count}`
}
