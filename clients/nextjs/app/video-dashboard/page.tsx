import { VideoDashboard } from './video-dashboard'

/** All renders at work, and those that have ended last. Nothing is read here: the routes decide who may see what. */
export default function VideoDashboardPage() {
  return (
    <main className="video-render-page video-dashboard-page">
      <h1>Renders</h1>
      <VideoDashboard />
    </main>
  )
}
