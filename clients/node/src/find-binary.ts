import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RenderStateError } from './errors.js'

const name = 'renderstate'

/**
 * The path of the sidecar's executable: the option `command`, else RENDERSTATE_BIN, else `renderstate` on
 * PATH, else the release build of the repository that this package lies in. What is named explicitly
 * has to exist; a name without a slash is looked up on PATH.
 *
 * Throws binaryNotFound.
 */
export function findBinary(command: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  if (command !== undefined) return named(command, 'the option command', environment)
  if (environment.RENDERSTATE_BIN) return named(environment.RENDERSTATE_BIN, 'RENDERSTATE_BIN', environment)
  const found = onPath(name, environment) ?? releaseBuild()
  if (found !== null) return found
  throw notFound(`no executable ${name} in RENDERSTATE_BIN, on PATH or in .build/release above ${packageFolder()}`)
}

function named(command: string, source: string, environment: NodeJS.ProcessEnv): string {
  const path = command.includes('/') ? resolve(command) : onPath(command, environment)
  if (path !== null && isExecutable(path)) return path
  throw notFound(`${source} names ${JSON.stringify(command)}, which is no executable file`)
}

function onPath(command: string, environment: NodeJS.ProcessEnv): string | null {
  const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => resolve(folder, command)).find(isExecutable) ?? null
}

function releaseBuild(): string | null {
  for (let folder = packageFolder(); ; folder = dirname(folder)) {
    const path = join(folder, '.build', 'release', name)
    if (isExecutable(path)) return path
    if (folder === dirname(folder)) return null
  }
}

function packageFolder(): string {
  return dirname(dirname(fileURLToPath(import.meta.url)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function notFound(problem: string): RenderStateError {
  return new RenderStateError(
    'binaryNotFound',
    `The renderstate sidecar was not found: ${problem}. Build it with \`swift build -c release\` in the ` +
      'repository of renderstate, and pass .build/release/renderstate as option `command` or in RENDERSTATE_BIN.'
  )
}
