/* All tests of the page, or those of the files named: `node test/run.mjs [FILE...]`. The Python runtime's pictures are made once.
   All of them need a site that was built of what there is. */

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildKernels } from '../build/kernels.mjs'
import { stale } from './fresh.mjs'
import { makeReferences } from './references.mjs'

const named = process.argv.slice(2)
const old = stale()
if (old) console.error(`error: ${old}`)
if (old && !named.length) process.exit(1)
await buildKernels()
const files = named.length ? named : readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.mjs')).sort().map((name) => join(import.meta.dirname, name))
const references = makeReferences()
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...files], { stdio: 'inherit', env: { ...process.env, ANIME_REFERENCES: references.folder } })
references.remove()
process.exit(status ?? 1)
