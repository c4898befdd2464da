/* Compiles the kernels: `node build/kernels.mjs` writes package/src/engine/kernels.js, two builds of kernels.ts, deflated, in base64. They have some 3 kB each,
   so that they travel with the code: no file to fetch, to keep for offline use, or to be missing. */

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import asc from 'assemblyscript/asc'

const SOURCE = resolve(import.meta.dirname, '../package/src/engine/kernels.ts')
const BUILT = resolve(import.meta.dirname, '../package/src/engine/kernels.js')
const OPTIONS = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536']
const FEATURES = { plain: 'simd,threads,bulk-memory', relaxed: 'simd,threads,bulk-memory,relaxed-simd' }

/** Writes the module, unless it is newer than its sources. */
export async function buildKernels() {
  const changed = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (changed(BUILT) > Math.max(changed(SOURCE), changed(import.meta.filename))) return
  const builds = []
  for (const [name, features] of Object.entries(FEATURES)) builds.push(`export const ${name} = '${deflateRawSync(await compiled(features), { level: 9 }).toString('base64')}'\n`)
  writeFileSync(BUILT, `// made by build/kernels.mjs from kernels.ts\n${builds.join('')}`)
}

async function compiled(features) {
  let binary
  const files = { readFile: (name) => (name === 'kernels.ts' ? readFileSync(SOURCE, 'utf8') : null), writeFile: (name, content) => { binary = content } }
  const { error, stderr } = await asc.main(['kernels.ts', '--outFile', 'kernels.wasm', ...OPTIONS, '--enable', features], files)
  if (error) throw new Error(`kernels.ts: ${stderr}`)
  return binary
}

if (process.argv[1] === import.meta.filename) await buildKernels()
