// Bundles a program of test/pages with Debian's React.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The program as one file of JavaScript, for `platform` browser or node. In development React checks more. */
export function bundle(program, platform = 'browser') {
  const path = fileURLToPath(new URL(`../pages/${program}`, import.meta.url))
  const dist = fileURLToPath(new URL('../../dist', import.meta.url))
  const args = [path, '--bundle', '--jsx=automatic', '--log-level=warning', `--platform=${platform}`, '--format=iife']
  args.push(`--alias:renderstate/react=${dist}/react/index.js`, '--define:process.env.NODE_ENV="development"')
  const env = { ...process.env, NODE_PATH: '/usr/share/nodejs' }
  const { status, stdout, stderr, error } = spawnSync('esbuild', args, { env, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (error || status !== 0 || stderr !== '') throw new Error(stderr || String(error))
  return stdout
}
