/* The npm package as others get it: packed, unpacked into a page outside the tree, with a bundler and without. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { open, session, WITHOUT_BROWSER } from './browser.mjs'
import { differences, makeReferences } from './references.mjs'
import { serve } from './serve.mjs'

const WEB = resolve(import.meta.dirname, '..')
const MOST = 2_000_000 // bytes of the packed package
const CLOSE = { mean: 0.5, most: 16 } // levels of 255 between its picture and the Python runtime's

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Somebody's page</title>IMPORTMAP<script type="module" src="./page.js"></script>`
const IMPORTMAP = JSON.stringify({ imports: {
  'animegan-lite': './node_modules/animegan-lite/dist/index.js',
  'onnxruntime-web/wasm': './node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs',
} })
const SCRIPT = `
import { createStylizer, palettes, styles, StylizerError } from 'animegan-lite'
window.lite = { createStylizer, palettes, styles, StylizerError }
`
const TYPED = `
import { createStylizer, palettes, type Size, sizes, type Stylizer, StylizerError, styles } from 'animegan-lite'
const stylizer: Stylizer = await createStylizer({ style: styles[0], size: sizes[styles[0]].at(-1) satisfies Size | undefined, stroke: 720, gpu: false })
const drawing: ImageData = await stylizer.stylize(document.createElement('canvas'), { palette: palettes[1], strength: 0.5, signal: AbortSignal.timeout(9), onProgress: (done: number, total: number) => done / total })
await stylizer.close()
if (drawing.width > 1) throw new StylizerError()
const style: string | undefined = stylizer.style
// @ts-expect-error: a network of one's own has none
stylizer.style.length
// @ts-expect-error: there is no such size
await createStylizer({ size: 'huge' })
// @ts-expect-error: there is no such option
await createStylizer({ colour: 'red' })
`

describe('the npm package', { skip: WITHOUT_BROWSER }, () => {
  let folder, references, browser
  const hosts = []
  before(async () => {
    references = makeReferences()
    folder = mkdtempSync(join(tmpdir(), 'anime-package-'))
    execFileSync(process.execPath, ['build/package.mjs'], { cwd: WEB })
    execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: join(WEB, 'package'), stdio: 'pipe' })
    const modules = join(folder, 'node_modules')
    mkdirSync(join(modules, 'animegan-lite'), { recursive: true })
    execFileSync('tar', ['-xzf', join(folder, tarball()), '--strip-components=1', '-C', join(modules, 'animegan-lite')])
    symlinkSync(join(WEB, 'node_modules/onnxruntime-web'), join(modules, 'onnxruntime-web'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'page.js'), SCRIPT)
    browser = await session()
  })
  after(async () => {
    await browser?.close()
    for (const host of hosts) await host.close()
    references?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  const tarball = () => readdirSync(folder).find((name) => name.endsWith('.tgz'))

  async function visit(t, root) {
    const host = await serve(root, { isolated: true })
    hosts.push(host)
    const context = await browser.window()
    t.after(() => context.close())
    const page = await open(context, host.url)
    await page.waitForFunction(() => window.lite)
    t.after(() => assert.deepEqual([page.trouble, [...page.hosts]], [[], [new URL(host.url).host]]))
    return page
  }

  /** Fails unless the page has the threads that it can have, from the package's own file, and nothing of ONNX Runtime. */
  async function ownEngine(page) {
    const { asked } = hosts.at(-1)
    const several = await page.evaluate(() => navigator.hardwareConcurrency > 1)
    assert.equal(asked.some((path) => /\/thread[-\w]*\.js$/.test(path)), several)
    assert.deepEqual(asked.filter((path) => /\.wasm$|\bort\b/.test(path)), [])
  }

  /** The picture that the page makes of a photo of the references, and the Python runtime's. */
  async function same(t, page, name, style, options = {}) {
    const made = await page.evaluate(async ([base64, style, options]) => {
      const stylizer = await window.lite.createStylizer({ style })
      const steps = []
      const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))])
      const { width, height, data } = await stylizer.stylize(blob, { ...options, onProgress: (...step) => steps.push(step) })
      await stylizer.close()
      return { width, height, data: [...data], steps }
    }, [readFileSync(references.photo(`${name}.png`)).toString('base64'), style, options])
    const { mean, most } = differences(made, references.reference(name, options.palette ? `${style}-${options.palette}` : style))
    t.diagnostic(`${name}, ${style}: mean difference ${mean.toFixed(4)}, largest ${most} of 255`)
    assert.ok(mean < CLOSE.mean && most < CLOSE.most, `${name}, ${style}: ${mean}, ${most}`)
    assert.deepEqual(made.steps.at(-1), [made.steps.length, made.steps.length])
  }

  test('it holds what it needs, licences included, nothing else, and is small', () => {
    const listed = execFileSync('tar', ['-tzf', join(folder, tarball())]).toString().trim().split('\n').map((name) => name.replace('package/', ''))
    for (const name of ['LICENSE', 'NOTICE', 'README.md', 'index.d.ts', 'package.json', 'dist/index.js', 'dist/models/enlarger.onnx', 'dist/models/hayao.onnx', 'dist/models/hayao.md']) assert.ok(listed.includes(name), name)
    assert.deepEqual(listed.filter((name) => !/^(dist\/|LICENSE|NOTICE|README\.md|index\.d\.ts|package\.json)/.test(name)), [])
    assert.ok(statSync(join(folder, tarball())).size < MOST)
  })

  test('its types are those of its code', () => {
    writeFileSync(join(folder, 'typed.ts'), TYPED)
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom', 'typed.ts']
    execFileSync(process.execPath, [join(WEB, 'node_modules/typescript/bin/tsc'), ...options], { cwd: folder })
  })

  test('without a bundler: the Python runtime\'s picture, and plain words for what cannot be', async (t) => {
    writeFileSync(join(folder, 'index.html'), PAGE.replace('IMPORTMAP', `<script type="importmap">${IMPORTMAP}</script>`))
    const page = await visit(t, folder)
    for (const style of await page.evaluate(() => window.lite.styles)) await same(t, page, 'small', style)
    await same(t, page, 'face', 'hayao', { palette: 'dusk' })
    await ownEngine(page)
    const said = await page.evaluate(async () => {
      const { createStylizer, StylizerError } = window.lite
      const stylizer = await createStylizer({})
      const tries = [
        () => createStylizer({ style: 'monet' }),
        () => createStylizer({ model: new Uint8Array(9) }),
        () => stylizer.stylize(new Blob(['no picture'])),
        () => stylizer.stylize(document.createElement('video')),
        () => stylizer.stylize(new ImageData(4, 4), { palette: 'grey' }),
        () => stylizer.stylize(new ImageData(4, 4), { strength: 2 }),
        () => stylizer.stylize(new ImageData(4, 4), { stroke: 3 }),
      ]
      const words = []
      for (const each of tries) words.push(await each().then(() => 'nothing', (error) => `${error instanceof StylizerError} ${error.code} ${error.message}`))
      const ended = await stylizer.stylize(new ImageData(4, 4), { signal: AbortSignal.abort() }).catch(({ name }) => name)
      const opaque = await stylizer.stylize(new ImageData(4, 4))
      return { words, ended, white: opaque.data[3] }
    })
    const codes = said.words.map((line) => line.split(' ').slice(0, 2).join(' '))
    assert.deepEqual(codes, ['badOption', 'badModel', 'noSource', 'noSource', 'badOption', 'badOption', 'badOption'].map((code) => `true ${code}`))
    assert.match(said.words[0], /there is no style "monet": there is cute, hayao, shinkai/)
    assert.deepEqual([said.ended, said.white], ['AbortError', 255])
  })

  /** What `script` returns on a page without a bundler. */
  async function on(t, script) {
    writeFileSync(join(folder, 'index.html'), PAGE.replace('IMPORTMAP', `<script type="importmap">${IMPORTMAP}</script>`))
    const page = await visit(t, folder)
    return page.evaluate(script)
  }

  test('an enlarger that did not come is asked for again, and closing goes well before and after', async (t) => {
    const found = await on(t, async () => {
      const [real, large] = [fetch, new ImageData(1000, 160)]
      window.fetch = async (url) => (/enlarger/.test(url) ? new Response('', { status: 404 }) : real(url))
      const [one, other] = [await window.lite.createStylizer({ stroke: 64 }), await window.lite.createStylizer({ stroke: 64 })]
      const code = await one.stylize(large).catch((error) => error.code)
      await other.stylize(large).catch(() => {})
      await other.close()
      window.fetch = real
      const { width } = await one.stylize(large)
      await one.close()
      return [code, width]
    })
    assert.deepEqual(found, ['noModel', 1000])
  })

  test('a stylizer that is closed twice leaves the others as they are', async (t) => {
    const found = await on(t, async () => {
      const [one, other] = [await window.lite.createStylizer({}), await window.lite.createStylizer({ style: 'shinkai' })]
      await one.close()
      await one.close()
      const { width } = await other.stylize(new ImageData(8, 8))
      await other.close()
      return width
    })
    assert.equal(found, 8)
  })

  test('bitmaps that it makes are closed, those of others are not', async (t) => {
    const found = await on(t, async () => {
      const [real, made] = [createImageBitmap, []]
      window.createImageBitmap = async (...given) => { const bitmap = await real(...given); made.push(bitmap); return bitmap }
      const stylizer = await window.lite.createStylizer({})
      const canvas = new OffscreenCanvas(8, 8)
      canvas.getContext('2d').fillRect(0, 0, 4, 4)
      const given = await real(canvas)
      for (const source of [new ImageData(8, 8), await canvas.convertToBlob(), given]) await stylizer.stylize(source)
      await stylizer.close()
      return [made.map(({ width }) => width), given.width]
    })
    assert.deepEqual(found, [[0, 0], 8])
  })

  test('a picture that is not loaded is no white one, and a network of one\'s own has no style', async (t) => {
    const found = await on(t, async () => {
      const bytes = new Uint8Array(await (await fetch('./node_modules/animegan-lite/dist/models/hayao.onnx')).arrayBuffer())
      const stylizer = await window.lite.createStylizer({ model: bytes })
      const loaded = Object.assign(new Image(), { width: 30, height: 20 })
      loaded.src = `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" width="8" height="6"/>`
      await loaded.decode()
      const sources = ['img', 'video'].map((tag) => Object.assign(document.createElement(tag), { width: 8, height: 8 }))
      const said = []
      for (const source of [...sources, loaded, null]) said.push(await stylizer.stylize(source).then(({ width, height }) => `${width} x ${height}`, ({ code }) => code))
      await stylizer.close()
      return [said, String(stylizer.style), String(stylizer.size)]
    })
    assert.deepEqual(found, [['noSource', 'noSource', '8 x 6', 'noSource'], 'undefined', 'undefined'])
  })

  test('with a bundler: the networks and the engine come along', async (t) => {
    writeFileSync(join(folder, 'index.html'), PAGE.replace('IMPORTMAP', ''))
    const config = 'export default { base: "./", build: { target: "es2022", assetsInlineLimit: 0 } }'
    writeFileSync(join(folder, 'vite.config.js'), config)
    execFileSync(process.execPath, [join(WEB, 'node_modules/vite/bin/vite.js'), 'build', '--outDir', 'built'], { cwd: folder, stdio: 'pipe' })
    const page = await visit(t, join(folder, 'built'))
    await same(t, page, 'small', 'hayao')
    await ownEngine(page)
  })
})
