import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const file = (path) => fileURLToPath(new URL(path, import.meta.url))

test('src/wire.generated.ts is what the documents in protocol/ say', () => {
  const made = execFileSync(process.execPath, [file('../scripts/generate-types.mjs'), '--print'], { encoding: 'utf8' })
  assert.equal(readFileSync(file('../src/wire.generated.ts'), 'utf8'), made, 'run: npm run generate')
})

test('every entry of the exports map exists after a build', () => {
  const { exports } = JSON.parse(readFileSync(file('../package.json'), 'utf8'))
  for (const entry of Object.values(exports)) {
    for (const path of Object.values(entry)) assert.ok(readFileSync(file(`../${path}`)).length > 0, path)
  }
})
