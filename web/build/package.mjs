/* Builds the npm package: `node build/package.mjs` fills web/package/dist/ and copies the licence files beside it. */

import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { buildKernels } from './kernels.mjs'
import { ENLARGERS, networksOf } from './models.js'

const MOST = { code: 85_000, whole: 2_400_000 } // bytes: of the code, engine included, and of all that is in dist/
const ROOT = resolve(import.meta.dirname, '../..')
const PACKAGE = resolve(import.meta.dirname, '../package')
const DIST = resolve(process.env.ANIME_PACKAGE ?? join(PACKAGE, 'dist')) // tests build one of other networks beside it
const WEIGHTS = resolve(process.env.ANIME_MODELS ?? join(ROOT, 'anime_model/weights'))

const NETWORKS = networksOf(WEIGHTS)

/** `virtual:styles` as addresses beside the module, by style and size, in the one form that bundlers know. */
const addresses = {
  name: 'styles',
  resolveId: (id) => (id === 'virtual:styles' ? id : null),
  load(id) {
    if (id !== 'virtual:styles') return null
    const address = (file) => `new URL('./models/${file}', import.meta.url)`
    const sizes = (style) => NETWORKS.filter((each) => each.style === style).map(({ size, file }) => `${size}: ${address(file)}`)
    const entries = [...new Set(NETWORKS.map(({ style }) => style))].map((style) => `${JSON.stringify(style)}: { ${sizes(style).join(', ')} }`)
    const enlargers = Object.entries(ENLARGERS).map(([factor, path]) => `${factor}: ${address(basename(path))}`)
    return `export const styles = { ${entries.join(', ')} }\nexport const enlargers = { ${enlargers.join(', ')} }\n`
  },
}

rmSync(DIST, { recursive: true, force: true })
mkdirSync(join(DIST, 'models'), { recursive: true })
for (const path of [...NETWORKS.map(({ file }) => join(WEIGHTS, file)), ...Object.values(ENLARGERS)]) {
  copyFileSync(path, join(DIST, 'models', basename(path)))
  const card = path.replace(/\.onnx$/, '.md')
  if (readdirSync(resolve(card, '..')).includes(basename(card))) copyFileSync(card, join(DIST, 'models', basename(card)))
}
for (const file of ['LICENSE', 'NOTICE']) copyFileSync(join(ROOT, file), join(PACKAGE, file))
await buildKernels()
for (const [file, source] of [['index.js', 'src/index.js'], ['thread.js', 'src/engine/thread.js']]) {
  const bundle = await rolldown({ input: join(PACKAGE, source), external: /^onnxruntime-web/, plugins: [addresses] })
  await bundle.write({ dir: DIST, format: 'es', entryFileNames: file, comments: { jsdoc: false } }) // index.d.ts has what users read
}

const sizes = readdirSync(DIST, { recursive: true, withFileTypes: true }).filter((each) => each.isFile()).map((each) => statSync(join(each.parentPath, each.name)).size)
const [code, whole] = [statSync(join(DIST, 'index.js')).size + statSync(join(DIST, 'thread.js')).size, sizes.reduce((sum, size) => sum + size, 0)]
console.log(`package/dist: ${whole} bytes, of them ${code} of code`)
if (code > MOST.code || whole > MOST.whole) throw new Error(`more than ${MOST.whole} bytes in all, or ${MOST.code} of code`)
