/**
 * Whether the page that sends this request is one of the host's own, by what no page can forge. A request that says
 * nothing of it does not come from a browser of today, and is not trusted.
 *
 * @param allowedOrigins further origins, such as `https://studio.example`
 */
export function isSameOrigin(request: Request, allowedOrigins: readonly string[] = []): boolean {
  const { headers } = request
  const origin = headers.get('Origin')
  if (origin !== null && allowedOrigins.includes(origin)) return true
  const site = headers.get('Sec-Fetch-Site')
  // Not same-site: that is every subdomain.
  if (site !== null) return site === 'same-origin' || site === 'none'
  if (origin === null) return false
  // A proxy keeps the host that the browser has asked for here. A page of another origin cannot set it.
  const [forwarded] = (headers.get('X-Forwarded-Host') ?? '').split(',')
  const host = forwarded?.trim() || headers.get('Host') || new URL(request.url).host
  return hostOf(origin) === host.toLowerCase()
}

/** Null where it is no origin with a host, as `null` of a sandboxed frame. */
function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host || null
  } catch {
    return null
  }
}
