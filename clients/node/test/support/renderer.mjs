// A renderer with Remotion Lambda's functions, whose answers the test gives.

/** The input of a render, and where it runs. */
export const input = { region: 'eu-central-1', functionName: 'remotion-render', serveUrl: 'https://site.example', composition: 'Intro' }
export const site = { region: input.region, functionName: input.functionName }

/** What `getRenderProgress` answers; `parts` say what is different. */
export const report = (parts) => ({ overallProgress: 0, done: false, outputFile: null, fatalErrorEncountered: false, errors: [], ...parts })

/** A renderer that records its calls. `start`, `look` and `cancel` replace what it answers. */
export function fakeRenderer({ start = () => null, look = () => report(), cancel = () => null } = {}) {
  const calls = { start: [], look: [], cancel: [] }
  return {
    calls,
    async renderMediaOnLambda(given) {
      calls.start.push(given)
      return (await start(given)) ?? { renderId: `render${calls.start.length}`, bucketName: 'remotionlambda-x' }
    },
    async getRenderProgress(given) {
      calls.look.push(given)
      return look(given, calls.look.length)
    },
    async cancelRenderOnLambda(given) {
      calls.cancel.push(given)
      return cancel(given)
    }
  }
}
