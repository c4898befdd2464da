import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { metadata } from '../src/onnx.js'

const ID = 'virtual:models'
const LARGEST = 500_000 // bytes: what a visitor on a phone may be asked to load for one style

/** Vite plugin: `virtual:models` lists the styles of a folder (every *.onnx but the enlarger, as `styles()` of anime_model/runtime/models.py) and
    brings their files into the site. */
export function models(folder) {
  return {
    name: 'models',
    resolveId: (id) => (id === ID ? `\0${ID}` : null),
    load: (id) => (id === `\0${ID}` ? listing(folder) : null),
  }
}

function listing(folder) {
  const found = readdirSync(folder).filter((file) => file.endsWith('.onnx') && file !== 'enlarger.onnx').sort().map((file) => facts(folder, file))
  if (!found.length) throw new Error(`no models (*.onnx) in ${folder}`)
  const imports = found.map(({ path }, i) => `import url${i} from ${JSON.stringify(`${path}?url`)}`)
  const entries = found.map(({ path, ...facts }, i) => `{ ...${JSON.stringify(facts)}, url: url${i} }`)
  return `${imports.join('\n')}\nexport default [${entries.join(', ')}]\n`
}

function facts(folder, file) {
  const path = join(folder, file)
  const bytes = readFileSync(path)
  if (bytes.length > LARGEST) throw new Error(`${path}: ${bytes.length} bytes, more than the ${LARGEST} of a page`)
  const { receptive_radius: radius } = metadata(bytes)
  return {
    style: file.replace(/\.onnx$/, ''),
    path,
    bytes: bytes.length,
    radius: radius ? Number(radius) : null, // pixels by which tiles must overlap; null: this model cannot be tiled
  }
}
