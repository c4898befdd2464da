/* A style in several sizes: the page and the package, built from made-up files. `hayao-nano.onnx` is here the network of shinkai, whose
   pictures by the Python runtime there are. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { made, open, session, shown, stylize, WITHOUT_BROWSER } from './browser.mjs'
import { difference, makeReferences, MODELS } from './references.mjs'
import { serve } from './serve.mjs'

const WEB = resolve(import.meta.dirname, '..')
const CLOSE = 0.5 // levels of 255, mean

describe('sizes of a style', { skip: WITHOUT_BROWSER }, () => {
  let folder, references, browser, page, host
  before(async () => {
    references = makeReferences()
    folder = mkdtempSync(join(tmpdir(), 'anime-sizes-'))
    const models = join(folder, 'models')
    mkdirSync(models)
    for (const [from, to] of [['hayao', 'hayao'], ['shinkai', 'shinkai'], ['shinkai', 'hayao-nano']]) copyFileSync(join(MODELS, `${from}.onnx`), join(models, `${to}.onnx`))
    const env = { ...process.env, ANIME_MODELS: models, ANIME_PACKAGE: join(folder, 'package') }
    execFileSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build', '--outDir', join(folder, 'site')], { cwd: WEB, env, stdio: 'pipe' })
    execFileSync(process.execPath, ['build/package.mjs'], { cwd: WEB, env, stdio: 'pipe' })
    browser = await session()
    host = await serve(join(folder, 'site'), { isolated: true })
    page = await open(await browser.window(), host.url)
  })
  after(async () => {
    await browser?.close()
    await host?.close()
    references?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  const draws = async (style) => assert.ok(difference(await shown(page), references.reference('face', style)) < CLOSE)
  const pick = async (style) => { await page.check(`[name=style][value=${style}]`); await made(page) }

  test('the page offers those that a style has, and draws with the one that is chosen', async () => {
    assert.deepEqual(await page.$$eval('[name=style]', (all) => all.map(({ value }) => value)), ['hayao', 'shinkai'])
    await stylize(page, references.photo('face.png'))
    await pick('shinkai')
    assert.equal(await page.isVisible('#speed'), false)
    await pick('hayao')
    await draws('hayao')
    assert.deepEqual(await page.$$eval('#speed option', (all) => all.filter(({ hidden, disabled }) => !hidden && !disabled).map(({ textContent }) => textContent)), ['fastest', 'balanced'])
    await page.selectOption('#speed', 'nano')
    await made(page)
    await draws('shinkai')
    assert.equal(await page.textContent('#rows tr:first-child td'), 'Hayao, fastest')
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
    assert.equal(download.suggestedFilename(), 'face-hayao-nano.png')
  })

  test('a choice stays over styles that have it not, and over a new visit', async () => {
    await pick('shinkai')
    await draws('shinkai')
    await pick('hayao')
    assert.equal(await page.inputValue('#speed'), 'nano')
    await page.selectOption('#speed', 'lite')
    await made(page)
    await page.selectOption('#speed', 'nano')
    await page.reload()
    assert.equal(await page.inputValue('#speed'), 'nano')
    await stylize(page, references.photo('face.png'))
    await draws('shinkai')
    assert.deepEqual(page.trouble, [])
  })

  test('the package draws with the size that is asked for, and says which there are', async () => {
    symlinkSync(join(WEB, 'node_modules'), join(folder, 'node_modules'))
    const map = { imports: { 'animegan-lite': './package/index.js', 'onnxruntime-web/wasm': './node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs' } }
    writeFileSync(join(folder, 'index.html'), `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${JSON.stringify(map)}</script><script type="module">import * as lite from 'animegan-lite'; window.lite = lite</script>`)
    const place = await serve(folder, { isolated: true })
    try {
      const other = await open(await browser.window(), place.url)
      await other.waitForFunction(() => window.lite)
      const photo = readFileSync(references.photo('face.png')).toString('base64')
      const found = await other.evaluate(async (base64) => {
        const { createStylizer, sizes } = window.lite
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))])
        const drawn = async (options) => {
          const stylizer = await createStylizer(options)
          const { width, height, data } = await stylizer.stylize(blob)
          return { size: stylizer.size, width, height, data: [...data] }
        }
        const wrong = [{ style: 'shinkai', size: 'nano' }, { size: 'huge', style: 'hayao' }, { model: new Uint8Array(9), size: 'lite' }]
        const words = await Promise.all(wrong.map((options) => createStylizer(options).then(() => '', ({ code, message }) => `${code} ${message}`)))
        return { sizes, nano: await drawn({ style: 'hayao', size: 'nano' }), plain: await drawn({ style: 'hayao' }), words }
      }, photo)
      assert.deepEqual(found.sizes, { hayao: ['nano', 'lite'], shinkai: ['lite'] })
      assert.deepEqual([found.nano.size, found.plain.size], ['nano', 'lite'])
      assert.ok(difference(found.nano, references.reference('face', 'shinkai')) < CLOSE)
      assert.ok(difference(found.plain, references.reference('face', 'hayao')) < CLOSE)
      assert.deepEqual(found.words, [
        'badOption there is no size "nano" of shinkai: there is lite',
        'badOption there is no size "huge" of hayao: there is nano, lite',
        'badOption a size is of a style that comes with the package, not of a model of your own',
      ])
      assert.deepEqual(other.trouble, [])
    } finally {
      await place.close()
    }
  })
})
