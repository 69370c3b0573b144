// The application with its dashboard, and what another process does to its renders.
import { RenderStateClient } from '../../../node/dist/index.js'
import { startApp } from './app.mjs'

export async function startStudio(t) {
  const app = await startApp(t)
  const client = RenderStateClient.spawn({ database: app.database })
  t.after(() => client.close())
  return {
    app,
    start: (id) => client.transition(id, 'start'),
    progress: (id, progress) => client.transition(id, 'progress', { context: { progress } }),
    complete: (id) => client.transition(id, 'complete', { context: { videoUrl: `https://v.example/${id}.mp4` } }),
    fail: (id, error) => client.transition(id, 'fail', { context: { error } }),
    state: async (id) => (await client.getStatus(id, { fresh: true })).state,
    /** How many requests a route of many renders, or of one, has got. */
    count: async (path) => (await app.requests())[`GET /api/patch-notes/${path}`] ?? 0
  }
}
