/* Photos, and the Python runtime's pictures of them (reference.py), in a folder of their own. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../..')
export const PYTHON = process.env.PYTHON ?? join(ROOT, '.venv/bin/python')
export const MODELS = resolve(process.env.ANIME_MODELS ?? join(ROOT, 'anime_model/weights'))

/** Those of ANIME_REFERENCES, where run.mjs made them before. */
export function makeReferences() {
  const given = process.env.ANIME_REFERENCES
  const folder = given ?? mkdtempSync(join(tmpdir(), 'anime-photos-'))
  if (!given) pythonMakes(folder)
  const photo = (name) => join(folder, name)
  /** The picture of a photo as {width, height, data: RGBA}: `reference("face", "hayao")`, `reference("face", "hayao-dusk")`. */
  const reference = (name, style) => {
    const header = readFileSync(photo(`${name}.png`))
    return { width: header.readUInt32BE(16), height: header.readUInt32BE(20), data: readFileSync(photo(`${name}-${style}.rgba`)) }
  }
  return { folder, photo, reference, remove: () => given || rmSync(folder, { recursive: true, force: true }) }
}

function pythonMakes(folder) {
  execFileSync(PYTHON, [join(ROOT, 'web/test/reference.py'), MODELS, folder], { cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT } })
}

/** Mean and largest absolute difference of two pictures' colours, in levels of 255. */
export function differences(one, other) {
  if (one.width !== other.width || one.height !== other.height) return { mean: Infinity, most: Infinity }
  let sum = 0
  let most = 0
  for (let i = 0; i < one.data.length; i++) {
    if (i % 4 === 3) continue
    const difference = Math.abs(one.data[i] - other.data[i])
    sum += difference
    most = Math.max(most, difference)
  }
  return { mean: sum / (one.data.length * 0.75), most }
}

export const difference = (one, other) => differences(one, other).mean
