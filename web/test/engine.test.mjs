/* The kernels against ONNX Runtime Web: here, and in a browser with each build and with threads. */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as ort from '../node_modules/onnxruntime-web/dist/ort.wasm.min.mjs'
import { compiled } from '../package/src/engine/compiling.js'
import { openNetwork } from '../package/src/engine/running.js'
import { openModel } from '../package/src/sessions.js'
import { open, session, WITHOUT_BROWSER } from './browser.mjs'
import { makeReferences, MODELS } from './references.mjs'
import { serve } from './serve.mjs'

// Levels of 255. Sums in another order round to the other of two neighbouring steps of 8 bits here and there, as ONNX Runtime's own builds do.
const CLOSE = { mean: 0.03, most: 8 }
const EXACT = { mean: 1e-4, most: 1e-3 } // where nothing is rounded to 8 bits
const SIZES = [[64, 64], [8, 8], [4, 4], [4, 100], [100, 12], [44, 76], [37, 51]]

let references
before(() => { references = makeReferences() })
after(() => references.remove())

const bytesOf = (file) => new Uint8Array(readFileSync(file))
const released = () => readdirSync(MODELS).filter((name) => name.endsWith('.onnx')).map((name) => join(MODELS, name))
const networks = () => [...released(), references.photo('narrow.onnx')]

/** A photo of `height` rows, as planes in [-1, 1]: the noise of the references, in soft squares. */
function photo(height, width) {
  const noise = readFileSync(references.photo('noise.rgba'))
  const value = (channel, y, x) => noise[4 * ((y % 123) * 157 + (x % 157)) + channel] / 127.5 - 1
  return Float32Array.from({ length: 3 * height * width }, (_, i) => {
    const [channel, y, x] = [Math.floor(i / height / width), Math.floor(i / width) % height, i % width]
    return 0.7 * value(channel, y >> 3, x >> 3) + 0.3 * value(channel, y, x)
  })
}

/** ONNX Runtime Web with a level of its own optimisations: by `all`, which sum in 8 bits, the native runtime draws. */
async function runtime(bytes, graphOptimizationLevel) {
  ort.env.wasm.numThreads = 1
  ort.env.logLevel = 'error'
  const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel, logSeverityLevel: 3 })
  const run = async (planes, height, width) => (await session.run({ photo: new ort.Tensor('float32', planes, [1, 3, height, width]) })).anime.data
  return { run, close: () => session.release() }
}

function off(one, other) {
  assert.equal(one.length, other.length)
  let [sum, most] = [0, 0]
  for (let i = 0; i < one.length; i++) {
    const difference = Math.abs(one[i] - other[i]) * 127.5
    sum += difference
    most = Math.max(most, difference)
  }
  return { mean: sum / one.length, most }
}

test('every released network, and one of odd widths, makes the picture that ONNX Runtime makes, at any size', async (t) => {
  // The odd one's weights are drawn by chance: its values lie between two of 8 bits more often, and the levels differ by 0.8.
  for (const [file, level] of [...released().map((file) => [file, 'all']), [references.photo('narrow.onnx'), 'basic']]) {
    const bytes = bytesOf(file)
    const close = compiled(bytes).layers.some(({ factors }) => factors) ? CLOSE : EXACT
    const [own, theirs] = [await openNetwork(bytes, 1, 'plain'), await runtime(bytes, level)]
    let worst = { mean: 0, most: 0 }
    for (const [height, width] of SIZES) {
      const planes = photo(height, width)
      const anime = await own.run(planes, height, width)
      const { mean, most } = off(anime, await theirs.run(planes, height, width))
      assert.ok(off(anime, new Float32Array(anime.length).fill(anime[0])).mean > 2, 'a flat picture proves nothing')
      assert.ok(mean < close.mean && most < close.most, `${basename(file)}, ${width} x ${height}: ${mean}, ${most}`)
      worst = { mean: Math.max(mean, worst.mean), most: Math.max(most, worst.most) }
    }
    t.diagnostic(`${basename(file)}: mean difference ${worst.mean.toFixed(5)}, largest ${worst.most.toFixed(3)} of 255`)
    await own.close()
    await theirs.close()
  }
})

test('networks share the memory, and what one left there is in no picture of the next', async () => {
  const [one, other] = await Promise.all(['shinkai', 'hayao'].map((style) => openNetwork(bytesOf(join(MODELS, `${style}.onnx`)), 1, 'plain')))
  const [small, large] = [photo(20, 36), photo(64, 80)]
  const first = await one.run(small, 20, 36)
  const [, again] = await Promise.all([other.run(large, 64, 80), one.run(small, 20, 36)]) // at once: they queue
  assert.deepEqual(again, first)
  await one.close()
  assert.deepEqual(off(await other.run(large, 64, 80), await other.run(large, 64, 80)), { mean: 0, most: 0 })
  await other.close()
  await assert.rejects(other.run(large, 64, 80), /closed/)
})

test('a network with anything else is left to ONNX Runtime, which is asked for then alone', async () => {
  let asked = 0
  const load = async () => { asked++; return ort }
  const own = await openModel(bytesOf(join(MODELS, 'shinkai.onnx')), { ort: load })
  assert.deepEqual([own.provider, own.runtime, own.radius > 0, asked], ['wasm', 'WebAssembly', true, 0])
  await own.close()
  const bytes = bytesOf(references.photo('rounded.onnx')) // ends with a convolution
  assert.equal(compiled(bytes), null)
  const other = await openModel(bytes, { ort: load })
  assert.deepEqual([other.provider, other.runtime, other.radius, asked], ['wasm', 'ONNX Runtime Web', null, 1])
  assert.equal((await other.run(photo(16, 16), 16, 16)).length, 3 * 16 * 16)
  await other.close()
})

test('one operator or attribute that the kernels have not is enough', () => {
  const bytes = bytesOf(join(MODELS, 'hayao.onnx'))
  const changed = (from, to) => compiled(Uint8Array.from(Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(from, to), 'latin1')))
  assert.ok(changed('Relu', 'Relu'))
  for (const [from, to] of [['Relu', 'Selu'], ['Tanh', 'Sinh'], ['half_pixel', 'asymmetric'], ['linear', 'cubics']]) assert.equal(changed(from, to), null, `${from}: ${to}`)
})

test('depth to space is known in both spellings, each in the one order of channels', () => {
  const known = (bytes, change = (text) => text) => Boolean(compiled(Uint8Array.from(Buffer.from(change(Buffer.from(bytes).toString('latin1')), 'latin1'))))
  const [transposed, plain] = [bytesOf(join(MODELS, 'hayao.onnx')), bytesOf(references.photo('narrow.onnx'))]
  assert.deepEqual([Buffer.from(transposed).includes('ConvTranspose'), Buffer.from(plain).includes('DepthToSpace')], [true, true])
  assert.deepEqual([known(transposed), known(plain)], [true, true])
  assert.equal(known(plain, (text) => text.replaceAll('CRD', 'DCR')), false)
  const one = Buffer.from(new Float32Array([1, 0, 0, 0]).buffer).toString('latin1') // a row of the kernel of ones and zeros
  assert.equal(known(transposed, (text) => text.replace(one, one.slice(4) + one.slice(0, 4))), false)
})

test('a file that breaks off, or is none, is a bad model, and nothing is loaded for it', async () => {
  const bytes = bytesOf(join(MODELS, 'shinkai.onnx'))
  const load = () => assert.fail('ONNX Runtime was asked for')
  for (const broken of [bytes.subarray(0, 1000), bytes.subarray(0, bytes.length - 3), new Uint8Array(9)]) {
    await assert.rejects(openModel(broken, { ort: load }), { code: 'badModel' })
  }
})

test('a CPU that is fast enough is not compared with a GPU', async () => {
  let asked = 0
  const load = async () => { asked++; throw new Error('no GPU') }
  const bytes = bytesOf(join(MODELS, 'hayao.onnx'))
  for (const [enough, times] of [[1e9, 0], [1e-9, 1]]) {
    asked = 0
    const network = await openModel(bytes, { ort: load, gpu: 'auto', enough })
    assert.deepEqual([network.provider, asked], ['wasm', times])
    await network.close()
  }
})

describe('in a browser', { skip: WITHOUT_BROWSER }, () => {
  let host, browser, page
  before(async () => {
    host = await serve(resolve(import.meta.dirname, '..'), { isolated: true })
    browser = await session()
    page = await open(await browser.window(), `${host.url}package/src/failure.js`) // any text: a page of that host
  })
  after(async () => {
    await browser?.close()
    await host?.close()
  })

  /** The picture of a network with a build and threads, in base64; with `told`, whether whole numbers were summed by fours. */
  const made = (file, build, threads, [height, width], dots = true, told = false) => page.evaluate(async ({ base64, build, threads, dots, told, base, planes, height, width }) => {
    const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer)
    const { openNetwork } = await import(`${base}package/src/engine/running.js`)
    const network = await openNetwork(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), threads, build, dots)
    const bytes = new Uint8Array((await network.run(floats(planes), height, width)).buffer)
    await network.close()
    if (told) return network.dots
    let out = ''
    for (let i = 0; i < bytes.length; i += 0x8000) out += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
    return btoa(out)
  }, { base64: readFileSync(file).toString('base64'), build, threads, dots, told, base: host.url, planes: Buffer.from(photo(height, width).buffer).toString('base64'), height, width })
  const floats = (base64) => new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer)

  test('whole numbers summed by fours make the same bytes as in floats', async (t) => {
    const file = join(MODELS, 'hayao.onnx')
    for (const size of [[100, 132], [36, 24], [8, 8]]) {
      const [fours, floats] = [await made(file, 'relaxed', 2, size), await made(file, 'relaxed', 2, size, false)]
      assert.ok(fours === floats, String(size))
    }
    t.diagnostic(`by fours here: ${await made(file, 'relaxed', 1, [8, 8], true, true)}`)
    assert.equal(await made(file, 'relaxed', 1, [8, 8], false, true), false)
    assert.equal(await made(file, 'plain', 1, [8, 8], true, true), false)
  })

  test('relaxed SIMD makes the picture of plain SIMD, and any number of threads the same bytes', async (t) => {
    for (const file of networks()) {
      const close = compiled(bytesOf(file)).layers.some(({ factors }) => factors) ? CLOSE : EXACT
      for (const size of [[100, 132], [8, 8]]) {
        const plain = await made(file, 'plain', 1, size)
        const relaxed = await made(file, 'relaxed', 1, size)
        const { mean, most } = off(floats(plain), floats(relaxed))
        t.diagnostic(`${basename(file)}: plain and relaxed differ by ${mean.toFixed(5)}, at most ${most.toFixed(3)} of 255`)
        assert.ok(mean < close.mean && most < close.most, `${basename(file)}: ${mean}, ${most}`)
        assert.ok(plain !== relaxed, 'the builds are the same')
        for (const threads of [2, 3]) {
          assert.ok((await made(file, 'plain', threads, size)) === plain, `${basename(file)}: ${threads} threads`)
          assert.ok((await made(file, 'relaxed', threads, size)) === relaxed, `${basename(file)}: ${threads} threads, relaxed`)
        }
      }
    }
    assert.deepEqual(page.trouble.filter((line) => !/favicon|404/.test(line)), [])
  })
})
