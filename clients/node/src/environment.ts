const passedOn = ['HOME', 'PATH', 'LANG', 'TZ']

/**
 * The environment of the sidecar: HOME, PATH, LANG, TZ and RENDERSTATE_* of this process, and what the
 * caller names. Nothing else: a host's secrets are no business of a child.
 */
export function sidecarEnvironment(
  named: { readonly [name: string]: string | undefined },
  host: NodeJS.ProcessEnv = process.env
): Record<string, string> {
  const environment = Object.create(null) as Record<string, string>
  for (const [name, value] of Object.entries(host)) {
    if (value !== undefined && (passedOn.includes(name) || name.startsWith('RENDERSTATE_'))) environment[name] = value
  }
  for (const [name, value] of Object.entries(named)) {
    if (value === undefined) delete environment[name]
    else environment[name] = value
  }
  return environment
}
