import { readdirSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

const ID = 'virtual:models'
const WEIGHTS = resolve(import.meta.dirname, '../../anime_model/weights')
export const ENLARGERS = { 2: join(WEIGHTS, 'enlarger.onnx'), 4: join(WEIGHTS, 'enlarger-4.onnx') } // by how much; beside the styles, and none
const SIZES = ['nano', 'lite', 'plus'] // as SIZES of anime_model/runtime/models.py: STYLE.onnx is lite, STYLE-SIZE.onnx another
const LARGEST = { nano: 500_000, lite: 500_000, plus: 1_000_000 } // bytes: what a visitor on a phone may be asked to load

/** Vite plugin: `virtual:models` lists the networks of a folder as {style, size, bytes, url}, exports the enlargers beside
    them and brings their files into the site. */
export function models(folder) {
  return {
    name: 'models',
    resolveId: (id) => (id === ID ? `\0${ID}` : null),
    load: (id) => (id === `\0${ID}` ? listing(folder) : null),
  }
}

function listing(folder) {
  const found = networksOf(folder)
  const files = [...found.map(({ file }) => join(folder, file)), ...Object.values(ENLARGERS)]
  const imports = files.map((path, i) => `import url${i} from ${JSON.stringify(`${path}?url`)}`)
  const entries = found.map((network, i) => `{ ...${JSON.stringify(facts(folder, network))}, url: url${i} }`)
  const enlargers = Object.keys(ENLARGERS).map((factor, i) => `${factor}: { url: url${found.length + i} }`)
  return `${imports.join('\n')}\nexport const enlargers = { ${enlargers.join(', ')} }\nexport default [${entries.join(', ')}]\n`
}

/** The networks of a folder as {style, size, file}, sorted by style, each style's fastest first: every *.onnx but the enlargers,
    by the rules of `styles()` and `sizes()` of anime_model/runtime/models.py. Throws where there are none. */
export function networksOf(folder) {
  const beside = Object.values(ENLARGERS).map((path) => basename(path))
  const names = readdirSync(folder).filter((file) => file.endsWith('.onnx') && !beside.includes(file)).map((file) => basename(file, '.onnx')).sort()
  const named = (style, size) => (size === 'lite' ? style : `${style}-${size}`)
  const others = new Set(names.flatMap((style) => SIZES.map((size) => named(style, size)).filter((name) => name !== style)))
  const found = names.filter((name) => !others.has(name)).flatMap((style) => SIZES.map((size) => ({ style, size, file: `${named(style, size)}.onnx` })))
  if (!names.length) throw new Error(`no models (*.onnx) in ${folder}`)
  return found.filter(({ file }) => names.includes(basename(file, '.onnx')))
}

function facts(folder, { style, size, file }) {
  const bytes = statSync(join(folder, file)).size
  if (bytes > LARGEST[size]) throw new Error(`${join(folder, file)}: ${bytes} bytes, more than the ${LARGEST[size]} of a page`)
  return { style, size, bytes }
}
