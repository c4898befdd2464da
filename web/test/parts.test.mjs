/* The parts that need no browser, against the Python runtime. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as ort from '../node_modules/onnxruntime-web/dist/ort.wasm.min.mjs'
import { models, networksOf } from '../build/models.js'
import { drawn, drawnSizes } from '../package/src/drawing.js'
import { enlarged, parts, strokeSize } from '../package/src/enlarging.js'
import { grade, PALETTES } from '../package/src/grading.js'
import { operators, unrounded } from '../package/src/onnx.js'
import { resized } from '../package/src/resampling.js'
import { openModel } from '../package/src/sessions.js'
import { changedShapes } from '../package/src/shapes.js'
import { smoothed } from '../package/src/smoothing.js'
import { reflected, stylize, tiles } from '../package/src/tiles.js'
import { LONGEST, startClip } from '../src/clip.js'
import { inspect } from '../src/file_check.js'
import { better, frameSize, SIDES, startPace, startRate } from '../src/live_pace.js'
import { distinct, resultName } from '../src/names.js'
import { crc, zip } from '../src/zip.js'
import { stale } from './fresh.mjs'
import { differences, makeReferences, MODELS, PYTHON, ROOT } from './references.mjs'

let references
before(() => { references = makeReferences() })
after(() => references.remove())

const rgba = (name, width = 100, height = 100) => ({ width, height, data: readFileSync(references.photo(`${name}.rgba`)) })

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
  const released = readdirSync(MODELS).filter((name) => name.endsWith('.onnx')).map((name) => `${MODELS}/${name}`)
  for (const file of [...released, references.photo('rounded.onnx')]) {
    const bytes = new Uint8Array(readFileSync(file))
    const [before, after] = [bytes, unrounded(bytes)].map(operators)
    assert.equal(after.QuantizeLinear, undefined)
    assert.equal(after.Clip, before.QuantizeLinear)
    assert.equal(after.Conv, before.Conv)
    const [as, without] = await Promise.all([bytes, unrounded(bytes)].map(async (model) => {
      const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 })
      return (await session.run({ photo: new ort.Tensor('float32', planes, [1, 3, side, side]) })).anime.data
    }))
    const mean = as.reduce((sum, value, i) => sum + Math.abs(value - without[i]) * 127.5, 0) / as.length
    t.diagnostic(`${file.split('/').at(-1)}: ${mean.toFixed(3)} of 255`)
    assert.ok(mean < 2 && mean > 0 === Boolean(before.QuantizeLinear), `${file}: ${mean}`)
  }
})

test('a file that is cut off is an error, not a model', () => {
  const bytes = new Uint8Array(readFileSync(`${MODELS}/shinkai.onnx`))
  assert.throws(() => unrounded(bytes.subarray(0, 1000)))
})

test('lines are reflected without doubling their ends, and padded to a multiple of 4', () => {
  assert.deepEqual([...reflected(4)], [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]) // as np.pad(..., 4, "reflect")
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

test('resampling is Pillow\'s, a box with fractions of pixels too', () => {
  const noise = rgba('noise', 157, 123)
  for (const [width, height, box] of [[60, 50], [200, 300, [3.3, 2.2, 150.7, 101.1]], [77, 123]]) {
    const off = differences(resized(noise, { width, height }, box), rgba(`resampled-${width}x${height}`, width, height))
    assert.ok(off.most <= 1 && off.mean < 0.001, `${width} x ${height}: ${JSON.stringify(off)}`)
  }
})

test('a site that was built of something older is named, with what to do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'built-'))
  const [site, source, note] = ['index.html', 'main.js', 'card.md'].map((name) => join(folder, name))
  assert.match(stale(site, [source]), /index\.html is not there: npm run build$/)
  for (const path of [site, source, note]) writeFileSync(path, '')
  utimesSync(site, 100, 100)
  utimesSync(source, 90, 90)
  assert.equal(stale(site, [source, note, join(folder, 'none')]), null, 'nobody builds a note')
  utimesSync(source, 110, 110)
  assert.match(stale(site, [folder]), /main\.js is newer than the built site: npm run build$/)
  rmSync(folder, { recursive: true })
})

test('texture is smoothed as in Python, to the bit', () => {
  for (const [name, width, height] of [['contrast', 157, 123], ['photo', 210, 140]]) {
    const rough = rgba(`rough-${name}`, width, height)
    const made = smoothed(rough)
    assert.deepEqual(differences(made, rgba(`smoothed-${name}`, width, height)), { mean: 0, most: 0 }, name)
    assert.ok(differences(made, rough).mean > 1, name)
  }
})

test('a drawing is enlarged as Python enlarges it, in parts and whole', async (t) => {
  ort.env.wasm.numThreads = 1
  const opened = { 2: 'enlarger', 4: 'enlarger-4' }
  for (const [factor, name] of Object.entries(opened)) opened[factor] = await openModel(new Uint8Array(readFileSync(`${MODELS}/${name}.onnx`)), {})
  const asked = []
  const enlarger = async (factor) => { asked.push(factor); return opened[factor] }
  assert.deepEqual([opened[2].radius, opened[4].radius], [8, 6])
  for (const [width, height] of [[160, 107], [225, 150], [630, 420], [1100, 737]]) {
    const data = await enlarged(rgba('drawing', 150, 100), { width, height }, enlarger)
    const off = differences({ width, height, data }, rgba(`enlarged-${width}x${height}`, width, height))
    t.diagnostic(`${width} x ${height}, ${parts({ width, height }).length} parts: ${JSON.stringify(off)}`)
    assert.ok(off.most <= 2 && off.mean < 0.02, `${width} x ${height}: ${JSON.stringify(off)}`)
  }
  assert.deepEqual(asked, [2, 4, 2, 4])
  assert.equal(await enlarged(rgba('drawing', 150, 100), { width: 900, height: 600 }, enlarger, () => false), null)
})

test('the working size is Python\'s: the short side, halves to even', () => {
  assert.deepEqual(strokeSize({ width: 4000, height: 3000 }, 720), { width: 960, height: 720 })
  assert.deepEqual(strokeSize({ width: 3000, height: 4001 }, 720), { width: 720, height: 960 })
  assert.deepEqual(strokeSize({ width: 201, height: 400 }, 100), { width: 100, height: 199 })
  assert.deepEqual(strokeSize({ width: 80, height: 201 }, 40), { width: 40, height: 100 }) // 100.5
  assert.equal(strokeSize({ width: 720, height: 9000 }, 720), null)
  assert.equal(strokeSize({ width: 4000, height: 3000 }, 0), null)
})

test('a network says at which sizes it draws best, unless a person does', () => {
  const heights = (style, stroke, height = 3000) => drawnSizes({ width: 4000, height }, style, stroke).map((size) => size.height)
  assert.deepEqual(heights({ stroke: null }, null), [720])
  assert.deepEqual(heights({ stroke: 400 }, undefined), [400])
  assert.deepEqual(heights({ stroke: 448, strokeMost: 1280 }, null), [448, 634, 896, 1267])
  assert.deepEqual(heights({ stroke: 448, strokeMost: 1280 }, null, 896), [448, 634])
  assert.deepEqual(heights({ stroke: 448, strokeMost: 300 }, null), [448])
  assert.deepEqual(heights({ stroke: 448, strokeMost: 1280 }, 1080), [1080])
  assert.deepEqual(heights({ stroke: 448, strokeMost: 1280 }, 0), [])
  assert.deepEqual(heights({ stroke: 0 }, null), [])
})

test('how much shapes change is what Python finds', () => {
  const wanted = JSON.parse(readFileSync(references.photo('changed.json')))
  const rough = rgba('rough-photo', 210, 140)
  for (const [name, data] of [['smoothed', rgba('smoothed-photo', 210, 140).data], ['same', rough.data]]) {
    const found = changedShapes(rough, data)
    assert.ok(Math.abs(found - wanted[name]) <= 1e-9 * wanted[name], `${name}: ${found}, ${wanted[name]}`)
  }
  assert.ok(wanted.smoothed > 0)
})

test('the size at which a network changes shapes most is kept, and a larger one has to be worth its time', async () => {
  const photo = { width: 100, height: 80, data: new Uint8ClampedArray(100 * 80 * 4).fill(90) }
  const enlarger = async () => ({ radius: 0, run: (planes, height, width) => new Float32Array(16 * planes.length).fill(0) })
  const tried = []
  const chosen = async (by) => {
    tried.length = 0
    const run = (planes, height, width) => { // a square that is lighter
      const side = [16, 23, 32, 45, 64].find((each) => each >= height - 11)
      tried.push(side)
      return planes.map((value, i) => (i % width < width / 2 && Math.floor(i / width) % height < height / 2 ? value + (by[side] ?? 0) : value))
    }
    const shares = []
    const found = await drawn(photo, { run, radius: 1, stroke: 16, strokeMost: 64 }, { enlarger, onStep: (done, total) => { shares.push(done / total) } })
    assert.deepEqual(shares, [...shares].sort((a, b) => a - b), 'it never goes back')
    assert.equal(shares.at(-1), 1)
    return found.size.height
  }
  assert.equal(await chosen({ 16: 0.5, 23: 0.2 }), 16)
  assert.deepEqual(tried, [16, 23])
  assert.equal(await chosen({ 16: 0.2, 23: 0.36, 32: 0.6, 45: 0.1 }), 32)
  assert.deepEqual(tried, [16, 23, 32, 45])
  assert.equal(await chosen({ 16: 0.2, 23: 0.4, 32: 0.6, 45: 0.8, 64: 1 }), 64)
})

test('files that break off are told as the Python runtime tells them, and how many pictures they have', () => {
  for (const [name, frames] of Object.entries(JSON.parse(readFileSync(references.photo('cut.json'))))) {
    const found = inspect(readFileSync(references.photo(name)))
    assert.equal(found.cut, frames === 0, `${name}: ${JSON.stringify(found)}, Python: ${frames}`)
    if (frames && !name.endsWith('avif')) assert.equal(found.frames, frames, name)
  }
  for (const bytes of ['', 'no picture at all', '\xff\xd8', 'GIF8', '\x89PNG\r\n\x1a\n', 'BM']) inspect(Buffer.from(bytes, 'latin1')) // says something, throws nothing
})

test('a zip is what Python unpacks, its names and bytes unchanged', async () => {
  const files = [{ name: 'one.txt', blob: new Blob(['one']) }, { name: '二/ü.bin', blob: new Blob([Uint8Array.from({ length: 70000 }, (_, i) => i % 251)]) }]
  const file = references.photo('two.zip')
  writeFileSync(file, Buffer.from(await (await zip(files)).arrayBuffer()))
  const script = 'import json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(json.dumps({n: len(z.read(n)) for n in z.namelist()}))'
  assert.deepEqual(JSON.parse(execFileSync(PYTHON, ['-c', script, file])), { 'one.txt': 3, '二/ü.bin': 70000 })
  assert.equal(crc(Buffer.from('123456789')), 0xcbf43926) // the check value of CRC-32
})

test('results are named after photo, style and palette, and never twice the same', () => {
  assert.equal(resultName('beach.JPG', { style: 'hayao', palette: 'dusk' }, 'image/png'), 'beach-hayao-dusk.png')
  assert.equal(resultName('a.b.png', { style: 'hayao', palette: 'none' }, 'image/jpeg'), 'a.b-hayao.jpg')
  assert.equal(resultName('a.png', { style: 'hayao', size: 'nano', palette: 'dusk' }, 'image/png'), 'a-hayao-nano-dusk.png')
  assert.equal(resultName('a.png', { style: 'hayao', size: 'lite' }, 'image/png'), 'a-hayao.png')
  assert.equal(resultName('', { style: 'hayao' }, 'video/webm;codecs=vp9'), 'photo-hayao.webm')
  assert.deepEqual(distinct(['a.png', 'A.png', 'a-2.png', 'b', 'b']), ['a.png', 'A-2.png', 'a-2-2.png', 'b', 'b-2'])
})

test('the sizes of a style are the files beside its own, as in Python', () => {
  const folder = references.photo('sizes')
  mkdirSync(folder)
  for (const name of ['hayao-plus', 'hayao', 'hayao-nano', 'shinkai', 'ink-wash', 'charcoal-nano', 'enlarger', 'enlarger-4']) writeFileSync(`${folder}/${name}.onnx`, '')
  const found = networksOf(folder)
  assert.deepEqual(found.map(({ style, size, file }) => `${style} ${size} ${file}`), [
    'charcoal-nano lite charcoal-nano.onnx', 'hayao nano hayao-nano.onnx', 'hayao lite hayao.onnx', 'hayao plus hayao-plus.onnx',
    'ink-wash lite ink-wash.onnx', 'shinkai lite shinkai.onnx',
  ])
  const script = 'import json, sys, pathlib; from anime_model.runtime.models import *; f = pathlib.Path(sys.argv[1]); print(json.dumps([[s, n, p.name] for s in styles(f) for n, p in sizes(s, f).items()]))'
  const told = JSON.parse(execFileSync(PYTHON, ['-c', script, folder], { cwd: ROOT }))
  assert.deepEqual(found.map(({ style, size, file }) => [style, size, file]), told)
  mkdirSync(`${folder}/none`)
  assert.throws(() => networksOf(`${folder}/none`), /no models/)
  writeFileSync(`${folder}/hayao.onnx`, Buffer.alloc(500_001))
  assert.throws(() => models(folder).load('\0virtual:models'), /hayao\.onnx: 500001 bytes/)
})

test('live pictures are as large as their time allows, with room between up and down', () => {
  const [small, large] = SIDES
  assert.equal(better(small, 30), large)
  assert.equal(better(small, 60), small)
  assert.equal(better(large, 120), large)
  assert.equal(better(large, 160), small)
  const pace = startPace()
  for (let i = 0; i < 5; i++) pace.add(i === 2 ? 900 : 20) // one slow picture decides nothing
  assert.equal(pace.side, large)
  pace.fixed = true
  for (let i = 0; i < 50; i++) pace.add(900)
  assert.equal(pace.side, large)
})

test('the rate is what came in the last two seconds', () => {
  const rate = startRate()
  assert.equal(rate.add(0), 0)
  for (let now = 100; now < 5000; now += 100) rate.add(now)
  assert.equal(Math.round(rate.add(5000)), 10)
  assert.ok(rate.add(7000) < 1)
})

test('frames keep their shape, their sides even', () => {
  assert.deepEqual(frameSize({ width: 1920, height: 1080 }, 256), { width: 456, height: 256 })
  assert.deepEqual(frameSize({ width: 1080, height: 1920 }, 384), { width: 384, height: 682 })
  assert.deepEqual(frameSize({ width: 101, height: 99 }, 256), { width: 102, height: 100 })
})

test('a clip waits in the background: its time is that which is recorded', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const pass = (ms) => { now += ms; t.mock.timers.tick(ms) }
  const recorder = { state: 'inactive', start() { this.state = 'recording' }, pause() { this.state = 'paused' }, resume() { this.state = 'recording' }, stop() { this.state = 'inactive'; this.onstop() } }
  globalThis.MediaRecorder = Object.assign(function () { return recorder }, { isTypeSupported: () => true })
  t.after(() => { delete globalThis.MediaRecorder })
  const clip = startClip({ captureStream: () => null })
  pass(10_000)
  for (const part of [1, 2]) {
    clip.pause(true)
    clip.pause(true)
    pass(2 * LONGEST)
    assert.equal(recorder.state, 'paused', `${part}`)
    clip.pause(false)
    pass(5000)
  }
  pass(LONGEST - 20_001)
  assert.equal(recorder.state, 'recording')
  pass(1)
  assert.equal(recorder.state, 'inactive')
  assert.ok((await clip.done) instanceof Blob)
})

test('of CPU and GPU the one that is not taken is closed', async () => {
  const bytes = new Uint8Array(readFileSync(references.photo('rounded.onnx'))) // none that the kernels make, so that both are ONNX Runtime's
  const opened = async (shift) => {
    const closed = []
    const create = async (file, { executionProviders: [provider] }) => ({
      run: async ({ photo }) => {
        if (provider === 'webgpu' && shift === null) throw new Error('a lost device')
        return { anime: { data: photo.data.map((value) => value + (provider === 'webgpu' ? shift : 0)) } }
      },
      release: async () => { closed.push(provider) },
    })
    const runtime = { InferenceSession: { create }, Tensor: class { constructor(type, data) { this.data = data } } }
    const network = await openModel(bytes, { ort: async () => runtime, gpu: 'gpu', threads: 1 })
    const before = [...closed]
    await network.close()
    await network.close()
    return [network.provider, before, closed]
  }
  assert.deepEqual(await opened(0), ['webgpu', ['wasm'], ['wasm', 'webgpu']])
  assert.deepEqual(await opened(1), ['wasm', ['webgpu'], ['webgpu', 'wasm']])
  assert.deepEqual(await opened(null), ['wasm', ['webgpu'], ['webgpu', 'wasm']])
})
