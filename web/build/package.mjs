/* Builds the npm package: `node build/package.mjs` fills web/package/dist/ and copies the licence files beside it. */

import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { ENLARGER, stylesOf } from './models.js'

const MOST = { code: 40_000, whole: 800_000 } // bytes: of the code, and of all that is in dist/
const ROOT = resolve(import.meta.dirname, '../..')
const PACKAGE = resolve(import.meta.dirname, '../package')
const DIST = join(PACKAGE, 'dist')
const WEIGHTS = resolve(process.env.ANIME_MODELS ?? join(ROOT, 'anime_model/weights'))

/** `virtual:styles` as addresses beside the module, in the one form that bundlers know. */
const addresses = {
  name: 'styles',
  resolveId: (id) => (id === 'virtual:styles' ? id : null),
  load(id) {
    if (id !== 'virtual:styles') return null
    const address = (file) => `new URL('./models/${file}', import.meta.url)`
    const entries = stylesOf(WEIGHTS).map((file) => `${JSON.stringify(basename(file, '.onnx'))}: ${address(file)}`)
    return `export const styles = { ${entries.join(', ')} }\nexport const enlarger = ${address(basename(ENLARGER))}\n`
  },
}

rmSync(DIST, { recursive: true, force: true })
mkdirSync(join(DIST, 'models'), { recursive: true })
for (const path of [...stylesOf(WEIGHTS).map((file) => join(WEIGHTS, file)), ENLARGER]) {
  copyFileSync(path, join(DIST, 'models', basename(path)))
  const card = path.replace(/\.onnx$/, '.md')
  if (readdirSync(resolve(card, '..')).includes(basename(card))) copyFileSync(card, join(DIST, 'models', basename(card)))
}
for (const file of ['LICENSE', 'NOTICE']) copyFileSync(join(ROOT, file), join(PACKAGE, file))
const bundle = await rolldown({ input: join(PACKAGE, 'src/index.js'), external: /^onnxruntime-web/, plugins: [addresses] })
await bundle.write({ dir: DIST, format: 'es', entryFileNames: 'index.js' })

const sizes = readdirSync(DIST, { recursive: true, withFileTypes: true }).filter((each) => each.isFile()).map((each) => statSync(join(each.parentPath, each.name)).size)
const [code, whole] = [statSync(join(DIST, 'index.js')).size, sizes.reduce((sum, size) => sum + size, 0)]
console.log(`package/dist: ${whole} bytes, of them ${code} of code`)
if (code > MOST.code || whole > MOST.whole) throw new Error(`more than ${MOST.whole} bytes in all, or ${MOST.code} of code`)
