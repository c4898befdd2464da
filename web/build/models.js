import { readdirSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

const ID = 'virtual:models'
export const ENLARGER = resolve(import.meta.dirname, '../../anime_model/weights/enlarger.onnx') // beside the styles, and none
const LARGEST = 500_000 // bytes: what a visitor on a phone may be asked to load for one style

/** Vite plugin: `virtual:models` lists the styles of a folder (every *.onnx but the enlarger, as `styles()` of
    anime_model/runtime/models.py), exports the enlarger beside them and brings their files into the site. */
export function models(folder) {
  return {
    name: 'models',
    resolveId: (id) => (id === ID ? `\0${ID}` : null),
    load: (id) => (id === `\0${ID}` ? listing(folder) : null),
  }
}

function listing(folder) {
  const found = stylesOf(folder)
  const files = [...found.map((file) => join(folder, file)), ENLARGER]
  const imports = files.map((path, i) => `import url${i} from ${JSON.stringify(`${path}?url`)}`)
  const entries = found.map((file, i) => `{ ...${JSON.stringify(facts(folder, file))}, url: url${i} }`)
  return `${imports.join('\n')}\nexport const enlarger = { url: url${found.length} }\nexport default [${entries.join(', ')}]\n`
}

/** The files of a folder's styles, sorted. Throws where there are none. */
export function stylesOf(folder) {
  const found = readdirSync(folder).filter((file) => file.endsWith('.onnx') && file !== basename(ENLARGER)).sort()
  if (!found.length) throw new Error(`no models (*.onnx) in ${folder}`)
  return found
}

function facts(folder, file) {
  const bytes = statSync(join(folder, file)).size
  if (bytes > LARGEST) throw new Error(`${join(folder, file)}: ${bytes} bytes, more than the ${LARGEST} of a page`)
  return { style: file.replace(/\.onnx$/, ''), bytes }
}
