import { VideoRender } from './video-render'

/** The video of a patch note. Nothing is read here: the routes decide who may see what. */
export default async function PatchNotePage({ params }: { params: Promise<{ id: string }> }) {
  // Of a page the parameter is as it stands in the URL.
  const id = decodeURIComponent((await params).id)
  return (
    <main className="video-render-page">
      <h1>Patch note {id}</h1>
      <VideoRender key={id} id={id} />
    </main>
  )
}
