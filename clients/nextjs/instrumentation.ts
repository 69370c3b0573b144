/** Next.js calls this when it starts: renders go on being looked at after a restart, and their end is known without a webhook. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { poller } = await import('@/lib/render-poller')
    // Called twice it is the same work. What ends it, such as a missing sidecar, must not end the application.
    void poller.pollActive().catch(console.error)
  }
}
