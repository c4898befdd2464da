/* Times of the built site (WEB_DIST, or dist/) in a headless browser, as the page itself records them, and what its live camera does with the
   browser's fake one; beside them, in the same browser and around the same network, the engine called again and again, the same without relaxed SIMD,
   and ONNX Runtime Web. JSON on standard output:
   `node test/benchmark.mjs FOLDER`, where FOLDER holds photos of `benchmarks/web.py`, square, named after their side. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { browse, open, shown, stylize } from './browser.mjs'
import { differences } from './references.mjs'
import { serve } from './serve.mjs'

const RUNS = 15
const WARM = 8 // pictures before them: browsers make code faster as it runs, and the first of a size makes room for it
const LIVE = 12_000 // milliseconds of live pictures: room for a change of their size, and then the rate of the last two seconds
const CAMERA = ['--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
const folder = resolve(process.argv[2])
const sides = readdirSync(folder).filter((name) => /^\d+\.png$/.test(name)).map((name) => parseInt(name)).sort((a, b) => a - b)
const root = resolve(process.env.WEB_DIST ?? join(import.meta.dirname, '../dist'))

const web = resolve(import.meta.dirname, '..')
const model = resolve(web, '../anime_model/weights/shinkai.onnx')

const rows = []
const live = []
let version, simd
for (const isolated of [false, true]) {
  const host = await serve(root, { isolated })
  const browser = await browse({ serviceWorkers: 'block', args: CAMERA })
  version = browser.context.browser()?.version() ?? version
  await browser.context.addInitScript(() => {
    localStorage.setItem('anime-lite:engine', '"cpu"')
    localStorage.setItem('anime-lite:style', '"shinkai"')
    localStorage.setItem('anime-lite:stroke', '"0"') // every picture at its own size
  })
  const others = await otherTimes(browser.context, isolated)
  const start = performance.now()
  const page = await open(browser.context, host.url)
  await stylize(page, join(folder, `${sides[0]}.png`))
  const first = performance.now() - start
  for (const side of sides) {
    simd = others[side].simd
    const ms = []
    for (let i = -WARM; i < RUNS; i++) {
      await stylize(page, join(folder, `${side}.png`))
      const [last] = await page.evaluate(() => JSON.parse(localStorage.getItem('anime-lite:times')))
      if (i >= 0) ms.push(last.ms)
    }
    const { threads } = await page.evaluate(() => JSON.parse(localStorage.getItem('anime-lite:times'))[0])
    const python = { width: side, height: side, data: readFileSync(join(folder, `${side}.rgba`)) }
    const off = differences(await shown(page), python)
    rows.push({ side, threads, ms: middle(ms), engine_ms: middle(others[side].engine), plain_ms: middle(others[side].plain), runtime_ms: middle(others[side].runtime), first_ms: Math.round(first), mean: off.mean, most: off.most })
  }
  live.push({ threads: rows.at(-1).threads, ...(await liveFigures(page)) })
  await browser.close()
  await host.close()
}
console.log(JSON.stringify({ browser: version, simd, runs: RUNS, warm: WARM, rows, live }))

/** Those of every side, from a page that is closed before the site's opens: browsers slow down what is behind another page. */
async function otherTimes(context, isolated) {
  const host = await serve(web, { isolated })
  const page = await open(context, `${host.url}package/src/failure.js`) // any text: a page of that host
  const found = {}
  for (const side of sides) found[side] = await engineTimes(page, host.url, side)
  await page.close()
  await host.close()
  return found
}

/** Milliseconds of a picture with the engine as it is here, with plain SIMD and with ONNX Runtime Web, and which build of the kernels this browser gets. */
function engineTimes(page, base, side) {
  return page.evaluate(async ([base, model, side, runs, warm]) => {
    const { bestBuild, openNetwork } = await import(`${base}package/src/engine/running.js`)
    const { threadsHere } = await import(`${base}package/src/sessions.js`)
    const { stylize } = await import(`${base}package/src/tiles.js`)
    const ort = await import(`${base}node_modules/onnxruntime-web/dist/ort.wasm.min.mjs`)
    const bytes = Uint8Array.from(atob(model), (letter) => letter.charCodeAt(0))
    ort.env.logLevel = 'error'
    ort.env.wasm.numThreads = threadsHere()
    const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'basic', logSeverityLevel: 3 })
    const runtime = async (planes, height, width) => (await session.run({ photo: new ort.Tensor('float32', planes, [1, 3, height, width]) })).anime.data
    const engine = await openNetwork(bytes, threadsHere())
    const plain = await openNetwork(bytes, threadsHere(), 'plain')
    const photo = { width: side, height: side, data: Uint8ClampedArray.from({ length: 4 * side * side }, (_, i) => 128 + 127 * Math.sin(i / 97)) }
    const times = async (run) => {
      const found = []
      for (let i = -warm; i < runs; i++) {
        const start = performance.now()
        await stylize(photo, null, run)
        if (i >= 0) found.push(performance.now() - start)
      }
      return found
    }
    const found = { simd: await bestBuild(), engine: await times(engine.run), plain: await times(plain.run), runtime: await times(runtime) }
    await engine.close()
    await plain.close()
    await session.release()
    return found
  }, [base, readFileSync(model).toString('base64'), side, RUNS, WARM])
}

function middle(times) {
  return times.sort((a, b) => a - b)[times.length >> 1]
}

async function liveFigures(page) {
  await page.click('#another')
  await page.click('#camera')
  await page.waitForSelector('#live-facts[data-frames]')
  await page.waitForTimeout(LIVE)
  const { fps, delay, side } = await page.$eval('#live-facts', ({ dataset }) => ({ ...dataset }))
  return { side: Number(side), fps: Number(fps), delay_ms: Number(delay) }
}
