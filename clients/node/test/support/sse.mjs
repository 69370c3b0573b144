// Reads Server-sent events from the body of a Response, as a browser does.

/** `next()` gives the next block as `{id?, event?, data?, retry?, comment?}` with parsed data, and null at the end. */
export function sseReader(response) {
  const reader = response.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  const next = async () => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        const block = text.slice(0, end)
        text = text.slice(end + 2)
        return parsed(block)
      }
      const { value, done } = await reader.read()
      if (done) {
        if (text !== '') throw new Error(`the stream ends in the middle: ${text}`)
        return null
      }
      text += decoder.decode(value, { stream: true })
    }
  }
  /** Up to the end of the stream, or the first event for which the predicate holds; heartbeats and retry left out. */
  const events = async (isLast = () => false) => {
    const all = []
    for (;;) {
      const block = await next()
      if (block === null) return all
      if (block.event === undefined) continue
      all.push(block)
      if (isLast(block)) return all
    }
  }
  return { next, events, cancel: () => reader.cancel() }
}

function parsed(block) {
  const fields = {}
  for (const line of block.split('\n')) {
    if (/[\r\0]/.test(line)) throw new Error(`a line break or NUL in ${JSON.stringify(line)}`)
    const [, name, value] = /^([a-z]*): (.*)$/s.exec(line) ?? []
    if (!['', 'id', 'event', 'data', 'retry'].includes(name) || name in fields) throw new Error(`no such line: ${line}`)
    fields[name === '' ? 'comment' : name] = name === 'data' ? JSON.parse(value) : value
  }
  return fields
}
