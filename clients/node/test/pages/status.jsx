// Shows a render by the hook, and keeps what it has given in `seen` and what React complains about in `complaints`.
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { useVideoRenderStatus } from 'renderstate/react'

window.seen = []
window.complaints = []
const complain = (...parts) => window.complaints.push(parts.map(String).join(' '))
console.error = complain
window.addEventListener('error', ({ message }) => complain(message))
window.addEventListener('unhandledrejection', ({ reason }) => complain(reason))

function Status({ id, ...options }) {
  const { refresh, ...status } = useVideoRenderStatus(id, options)
  window.refresh = refresh
  const json = JSON.stringify({ id, ...status })
  if (JSON.stringify(window.seen.at(-1)) !== json) window.seen.push(JSON.parse(json))
  return <output>{json}</output>
}

const root = createRoot(document.body.appendChild(document.createElement('main')))

/** Shows the render; nothing for null. */
window.show = (props, { strict = false } = {}) => {
  const page = props && <Status {...props} />
  root.render(strict ? <StrictMode>{page}</StrictMode> : page)
}
