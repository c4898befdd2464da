/* The parts that need no browser, against the Python runtime. */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import * as ort from '../node_modules/onnxruntime-web/dist/ort.wasm.min.mjs'
import { grade, PALETTES } from '../src/grading.js'
import { operators, unrounded } from '../src/onnx.js'
import { reflected, stylize, tiles } from '../src/stylizer.js'
import { differences, makeReferences, MODELS } from './references.mjs'

let references
before(() => { references = makeReferences() })
after(() => references.remove())

const rgba = (name) => ({ width: 100, height: 100, data: readFileSync(references.photo(`${name}.rgba`)) })

test('every palette, strength and switch makes the colours that Python makes', () => {
  const made = readdirSync(references.photo('.')).filter((file) => file.startsWith('graded-'))
  assert.equal(made.length, 4 * PALETTES.length)
  for (const palette of PALETTES) {
    for (const strength of [1, 0.35]) {
      for (const keepColour of [false, true]) {
        const data = grade(rgba('drawn').data, rgba('colours').data, { palette, strength, keepColour })
        const off = differences({ width: 100, height: 100, data }, rgba(`graded-${palette}-${strength}-${keepColour}`))
        // Python's float32 may round the other way; a palette makes up to three levels of that one.
        assert.ok(off.most <= 3 && off.mean < 0.01, `${palette} ${strength} ${keepColour}: ${JSON.stringify(off)}`)
      }
    }
  }
})

test('a file for GPUs rounds no activations and makes the same picture within two levels of 255', async (t) => {
  ort.env.wasm.numThreads = 1
  ort.env.logLevel = 'error'
  const side = 64
  const planes = Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(i / 41) * Math.cos(i / side / 29))
  for (const file of readdirSync(MODELS).filter((name) => name.endsWith('.onnx'))) {
    const bytes = new Uint8Array(readFileSync(`${MODELS}/${file}`))
    const [before, after] = [bytes, unrounded(bytes)].map(operators)
    assert.equal(after.QuantizeLinear, undefined)
    assert.equal(after.Clip, before.QuantizeLinear)
    assert.equal(after.Conv, before.Conv)
    const [as, without] = await Promise.all([bytes, unrounded(bytes)].map(async (model) => {
      const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 })
      return (await session.run({ photo: new ort.Tensor('float32', planes, [1, 3, side, side]) })).anime.data
    }))
    const mean = as.reduce((sum, value, i) => sum + Math.abs(value - without[i]) * 127.5, 0) / as.length
    t.diagnostic(`${file}: ${mean.toFixed(3)} of 255`)
    assert.ok(mean > 0 && mean < 2, `${file}: ${mean}`)
  }
})

test('a file that is cut off is an error, not a model', () => {
  const bytes = new Uint8Array(readFileSync(`${MODELS}/shinkai.onnx`))
  assert.throws(() => unrounded(bytes.subarray(0, 1000)))
})

test('lines are reflected without doubling their ends, and padded to a multiple of 4', () => {
  assert.deepEqual([...reflected(4)], [2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1]) // as np.pad(..., 8, "reflect")
  for (const size of [1, 2, 3, 5, 301]) assert.equal(reflected(size).length % 4, 0)
})

test('tiles cover every pixel once, stay within the bound and start at multiples of 4', () => {
  for (const [height, width] of [[1016, 1516], [404, 9000], [2508, 3012]]) {
    const seen = new Uint8Array(height * width)
    for (const { core: [top, left, bottom, right], input } of tiles(height, width, 58, 300_000)) {
      assert.ok((input[2] - input[0]) * (input[3] - input[1]) <= 300_000)
      assert.ok(input.slice(0, 2).every((place) => place % 4 === 0))
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) seen[y * width + x]++
    }
    assert.ok(seen.every((times) => times === 1))
  }
})

test('work that is no longer wanted stops after the tile at hand', async () => {
  const photo = { width: 2000, height: 2000, data: new Uint8ClampedArray(16_000_000) }
  let runs = 0
  const run = (planes) => { runs++; return planes }
  assert.equal(await stylize(photo, 58, run, () => false), null)
  assert.equal(runs, 1)
})
