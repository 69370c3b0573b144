// Renders the hook as a server does, and prints it.
import { renderToString } from 'react-dom/server'
import { useVideoRenderStatus } from 'renderstate/react'

function Status({ id, ...options }) {
  const { status, progress, connection } = useVideoRenderStatus(id, options)
  return <output>{`${status} ${progress} ${connection}`}</output>
}

console.log(renderToString(<Status id="a" />))
console.log(renderToString(<Status id="a" initial={{ status: 'rendering', progress: 40 }} />))
