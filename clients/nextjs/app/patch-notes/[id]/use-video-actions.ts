'use client'
import { useState } from 'react'

export type VideoAction = 'regenerate-video' | 'cancel-video'

export interface UseVideoActionsResult {
  readonly send: (action: VideoAction) => Promise<void>
  readonly isSending: boolean
  /** How many requests were answered, or got no answer. */
  readonly sent: number
  /** What the user should know of the last answer. */
  readonly notice: string | null
}

/** Asks the server to do something with the render, one request at a time; `onSent` is called after each. */
export function useVideoActions(id: string, onSent?: () => void): UseVideoActionsResult {
  const [isSending, setIsSending] = useState(false)
  const [sent, setSent] = useState(0)
  const [notice, setNotice] = useState<string | null>(null)

  async function send(action: VideoAction) {
    setIsSending(true)
    setNotice(null)
    try {
      const response = await fetch(`/api/patch-notes/${encodeURIComponent(id)}/${action}`, { method: 'POST' })
      setNotice(await noticeOf(response))
    } catch {
      setNotice('No answer from the server. Try again.')
    }
    setIsSending(false)
    setSent((count) => count + 1)
    onSent?.()
  }
  return { send, isSending, sent, notice }
}

/** What the user should know of an answer; null where the status of the render says it all. */
async function noticeOf(response: Response): Promise<string | null> {
  // 409: somebody was faster, and the page shows what they did.
  if (response.ok || response.status === 409) return null
  const answer: unknown = await response.json().catch(() => null)
  // The renderer could not begin, and so the render has failed.
  if (response.status === 502 && answer !== null) return null
  if (response.status === 401) return 'You have to sign in to do this.'
  if (response.status === 403) return 'You are not allowed to do this.'
  return `The server could not do this right now (${response.status}). Try again.`
}
