/* All tests of the page, or those of the files named: `node test/run.mjs [FILE...]`. The Python runtime's pictures are made once. */

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildKernels } from '../build/kernels.mjs'
import { makeReferences } from './references.mjs'

await buildKernels()
const named = process.argv.slice(2)
const files = named.length ? named : readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.mjs')).sort().map((name) => join(import.meta.dirname, name))
const references = makeReferences()
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...files], { stdio: 'inherit', env: { ...process.env, ANIME_REFERENCES: references.folder } })
references.remove()
process.exit(status ?? 1)
