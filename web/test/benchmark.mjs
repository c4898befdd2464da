/* Times of the built site (WEB_DIST, or dist/) in a headless browser, as the page itself records them, and what its live camera does with the
   browser's fake one; JSON on standard output:
   `node test/benchmark.mjs FOLDER`, where FOLDER holds photos of `benchmarks/web.py`, square, named after their side. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { browse, open, shown, stylize } from './browser.mjs'
import { differences } from './references.mjs'
import { serve } from './serve.mjs'

const RUNS = 5
const LIVE = 12_000 // milliseconds of live pictures: room for a change of their size, and then the rate of the last two seconds
const CAMERA = ['--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
const folder = resolve(process.argv[2])
const sides = readdirSync(folder).filter((name) => /^\d+\.png$/.test(name)).map((name) => parseInt(name)).sort((a, b) => a - b)
const root = resolve(process.env.WEB_DIST ?? join(import.meta.dirname, '../dist'))

const rows = []
const live = []
let version
for (const isolated of [false, true]) {
  const host = await serve(root, { isolated })
  const browser = await browse({ serviceWorkers: 'block', args: CAMERA })
  version = browser.context.browser()?.version() ?? version
  await browser.context.addInitScript(() => {
    localStorage.setItem('anime-lite:engine', '"cpu"')
    localStorage.setItem('anime-lite:stroke', '"0"') // every picture at its own size
  })
  const start = performance.now()
  const page = await open(browser.context, host.url)
  await stylize(page, join(folder, `${sides[0]}.png`))
  const first = performance.now() - start
  for (const side of sides) {
    const ms = []
    for (let i = 0; i <= RUNS; i++) {
      await stylize(page, join(folder, `${side}.png`))
      const [last] = await page.evaluate(() => JSON.parse(localStorage.getItem('anime-lite:times')))
      if (i) ms.push(last.ms) // the first of a size also makes room for it
    }
    const { threads } = await page.evaluate(() => JSON.parse(localStorage.getItem('anime-lite:times'))[0])
    const python = { width: side, height: side, data: readFileSync(join(folder, `${side}.rgba`)) }
    const off = differences(await shown(page), python)
    rows.push({ side, threads, ms: ms.sort((a, b) => a - b)[RUNS >> 1], first_ms: Math.round(first), mean: off.mean, most: off.most })
  }
  live.push({ threads: rows.at(-1).threads, ...(await liveFigures(page)) })
  await browser.close()
  await host.close()
}
console.log(JSON.stringify({ browser: version, runs: RUNS, rows, live }))

async function liveFigures(page) {
  await page.click('#another')
  await page.click('#camera')
  await page.waitForSelector('#live-facts[data-frames]')
  await page.waitForTimeout(LIVE)
  const { fps, delay, side } = await page.$eval('#live-facts', ({ dataset }) => ({ ...dataset }))
  return { side: Number(side), fps: Number(fps), delay_ms: Number(delay) }
}
