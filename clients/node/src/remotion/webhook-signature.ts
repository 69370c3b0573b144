import { createHmac, timingSafeEqual } from 'node:crypto'

/** The value of `X-Remotion-Signature` for this body. */
export function signWebhook(body: Uint8Array | string, secret: string): string {
  return `sha512=${createHmac('sha512', secret).update(body).digest('hex')}`
}

/** Whether the header is that of this body and secret; the time it takes does not say how much of it is right. */
export function isSignatureOf(header: string, body: Uint8Array, secret: string): boolean {
  const given = Buffer.from(header)
  const right = Buffer.from(signWebhook(body, secret))
  return given.length === right.length && timingSafeEqual(given, right)
}
