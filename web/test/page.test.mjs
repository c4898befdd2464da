/* The built site (WEB_DIST, or dist/) in Chromium, against the Python runtime (PYTHON, or the project's .venv). */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { browse, difference, made, open, shown, stylize } from './browser.mjs'
import { serve } from './serve.mjs'

const WEB = resolve(import.meta.dirname, '..')
const DIST = resolve(process.env.WEB_DIST ?? join(WEB, 'dist'))
const MODELS = resolve(process.env.ANIME_MODELS ?? join(WEB, '../anime_model/weights'))
const PYTHON = process.env.PYTHON ?? join(WEB, '../.venv/bin/python')
const CLOSE = 1.5 // mean levels of 255 between the tab's picture and the Python runtime's

const photos = mkdtempSync(join(tmpdir(), 'anime-photos-'))
const photo = (name) => join(photos, name)

function reference(name, style) {
  const header = readFileSync(photo(`${name}.png`))
  return { width: header.readUInt32BE(16), height: header.readUInt32BE(20), data: readFileSync(photo(`${name}-${style}.rgba`)) }
}

async function choose(page, group, value) {
  await page.check(`[name=${group}][value=${value}]`)
  await made(page)
}

before(() => {
  execFileSync(PYTHON, [join(WEB, 'test/reference.py'), MODELS, photos], { cwd: resolve(WEB, '..'), env: { ...process.env, PYTHONPATH: resolve(WEB, '..') } })
  writeFileSync(photo('not.jpg'), 'no picture at all')
  writeFileSync(photo('cut.png'), readFileSync(photo('face.png')).subarray(0, 30))
  writeFileSync(photo('empty.png'), '')
  writeFileSync(photo('bomb.png'), bomb())
})
after(() => rmSync(photos, { recursive: true, force: true }))

/** A PNG whose header claims 20000 x 20000 pixels. */
function bomb() {
  const face = readFileSync(photo('face.png'))
  face.writeUInt32BE(20000, 16)
  face.writeUInt32BE(20000, 20)
  const table = Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n })
  const crc = face.subarray(12, 29).reduce((value, byte) => table[(value ^ byte) & 255] ^ (value >>> 8), -1)
  face.writeInt32BE(~crc, 29)
  return face
}

for (const isolated of [false, true]) {
  describe(isolated ? 'a host that isolates the page: threads' : 'a host that sets no headers: one thread', () => {
    let host, browser, page
    before(async () => {
      host = await serve(DIST, { isolated })
      browser = await browse({ serviceWorkers: 'block' })
      page = await open(browser.context, host.url)
    })
    after(async () => {
      await browser.close()
      await host.close()
    })

    test('the picture equals the Python runtime\'s, in both styles, and small and odd sizes too', async (t) => {
      assert.equal(await page.evaluate(() => crossOriginIsolated), isolated)
      for (const name of ['face', 'tiny']) {
        await stylize(page, photo(`${name}.png`))
        for (const style of ['hayao', 'shinkai']) {
          await choose(page, 'style', style)
          const off = difference(await shown(page), reference(name, style))
          t.diagnostic(`${name}, ${style}: mean difference ${off.toFixed(4)} of 255`)
          assert.ok(off < CLOSE, `${name} ${style}: ${off}`)
        }
      }
    })

    test('the pictures differ from the photo and from each other, or equality would prove nothing', async () => {
      assert.ok(difference(reference('face', 'hayao'), reference('face', 'shinkai')) > CLOSE)
      assert.ok(difference(await shown(page, 'before'), reference('tiny', 'shinkai')) > CLOSE)
    })

    test('a picture made in tiles equals the whole', async (t) => {
      await page.selectOption('#size', 'full')
      await stylize(page, photo('large.png'))
      const off = difference(await shown(page), reference('large', 'shinkai'))
      t.diagnostic(`${await page.textContent('#note')} Mean difference ${off.toFixed(4)} of 255`)
      assert.ok(off < CLOSE, `${off}`)
      assert.match(await page.textContent('#note'), /1500 × 1000/)
    })

    test('the time is shown and recorded', async () => {
      assert.match(await page.textContent('#note'), /\d (ms|s), CPU/)
      const [last] = await page.evaluate(() => JSON.parse(localStorage.getItem('anime-lite:times')))
      assert.deepEqual([last.width, last.height, last.provider], [1500, 1000, 'wasm'])
      assert.equal(last.threads > 1, isolated && (await page.evaluate(() => navigator.hardwareConcurrency)) > 1)
      assert.ok(last.ms > 0)
    })

    test('nothing went wrong and no other host was asked', () => {
      assert.deepEqual(page.trouble, [])
      assert.deepEqual([...page.hosts], [new URL(host.url).host])
    })
  })
}

describe('the page', () => {
  let host, browser, page
  before(async () => {
    host = await serve(DIST)
    browser = await browse({ serviceWorkers: 'block', args: ['--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] })
    page = await open(browser.context, host.url)
    await stylize(page, photo('face.png'))
  })
  after(async () => {
    await browser.close()
    await host.close()
  })

  test('the slider moves by key and by pointer', async () => {
    const split = () => page.$eval('#compare', (box) => box.style.getPropertyValue('--split'))
    await page.focus('#split')
    await page.keyboard.press('Home')
    assert.equal(await split(), '0%')
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight')
    assert.equal(await split(), '3%')
    assert.equal(await page.getAttribute('#split', 'aria-valuetext'), '3 % photo')
    const box = await page.locator('#compare').boundingBox()
    await page.mouse.move(box.x + box.width / 4, box.y + 40)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.75, box.y + 60, { steps: 4 })
    await page.mouse.up()
    assert.equal(Math.round(parseFloat(await split())), 75)
  })

  test('palettes change the colours, "as made" brings them back, strength 0 is the photo', async () => {
    const plain = await shown(page)
    await choose(page, 'palette', 'dusk')
    assert.ok(difference(await shown(page), plain) > 2)
    await choose(page, 'palette', 'none')
    assert.equal(difference(await shown(page), plain), 0)
    await page.locator('#strength').fill('0')
    await made(page)
    assert.equal(difference(await shown(page), await shown(page, 'before')), 0)
    await page.locator('#strength').fill('100')
    await made(page)
    assert.equal(difference(await shown(page), plain), 0)
  })

  test('the download is the picture, named after photo and style', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
    assert.equal(download.suggestedFilename(), 'face-shinkai.png')
    const bytes = readFileSync(await download.path())
    const again = await page.evaluate(async (base64) => {
      const image = new Image()
      image.src = URL.createObjectURL(await (await new Response(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))).blob())
      await image.decode()
      const canvas = new OffscreenCanvas(image.width, image.height)
      const context = canvas.getContext('2d')
      context.drawImage(image, 0, 0)
      return [image.width, image.height, [...context.getImageData(0, 0, image.width, image.height).data]]
    }, bytes.toString('base64'))
    assert.equal(difference({ width: again[0], height: again[1], data: again[2] }, await shown(page)), 0)
    await page.selectOption('#format', 'image/jpeg')
    const [jpeg] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
    assert.equal(jpeg.suggestedFilename(), 'face-shinkai.jpg')
    assert.equal(readFileSync(await jpeg.path()).readUInt16BE(0), 0xffd8)
  })

  test('a photo taken sideways stands upright', async () => {
    await stylize(page, photo('turned.jpg'))
    const upright = reference('face', 'shinkai')
    const { width, height } = await shown(page, 'before')
    assert.deepEqual([width, height], [upright.width, upright.height])
  })

  test('a large photo is scaled, and the page says so', async () => {
    await stylize(page, photo('large.png'))
    assert.match(await page.textContent('#note'), /1500 × 1000 px; the picture is made at 1024 × 682/)
  })

  for (const [file, line] of [['not.jpg', /“not.jpg” is not a picture/], ['cut.png', /“cut.png” is not a picture/], ['empty.png', /empty/], ['bomb.png', /400 million pixels/]]) {
    test(`${file} is refused in one line, and the page goes on`, async () => {
      await page.setInputFiles('#file', photo(file))
      await page.waitForSelector('body[data-state=failed] #message:not([hidden])')
      assert.match(await page.textContent('#message'), line)
      await stylize(page, photo('tiny.png'))
      assert.ok(await page.locator('#message').isHidden())
    })
  }

  test('the camera takes a picture, and can be left', async () => {
    await page.click('#another')
    await page.click('#camera')
    await page.waitForFunction(() => document.getElementById('video').videoWidth > 0)
    await page.click('#leave')
    await page.waitForSelector('#viewfinder', { state: 'hidden' })
    await page.click('#camera')
    await page.waitForFunction(() => document.getElementById('video').videoWidth > 0)
    await page.click('#shoot')
    await made(page)
    assert.equal(await page.$eval('#video', (video) => video.srcObject), null)
  })

  test('Chinese and dark are one press away, and last', async () => {
    await page.click('#language')
    assert.equal(await page.textContent('h1'), '把照片画成动漫')
    await page.click('#theme')
    await page.reload()
    assert.equal(await page.getAttribute('html', 'lang'), 'zh')
    assert.equal(await page.getAttribute('html', 'data-theme'), 'dark')
  })

  test('every control has a name, and nothing went wrong', async () => {
    const nameless = await page.$$eval('button, input:not([hidden]), select', (all) => all
      .filter((each) => ![each.labels?.[0]?.textContent, each.textContent, each.ariaLabel].some((name) => name?.trim()))
      .map((each) => each.outerHTML))
    assert.deepEqual(nameless, [])
    assert.deepEqual(page.trouble, [])
  })
})

describe('when something is missing', () => {
  let host, browser
  before(async () => {
    host = await serve(DIST)
    browser = await browse({ serviceWorkers: 'block' })
  })
  after(async () => {
    await browser.close()
    await host.close()
  })

  const line = async (page) => {
    await page.waitForSelector('#message:not([hidden])', { timeout: 60_000 })
    return page.textContent('#message')
  }

  test('a model that does not come: one line, and another try works', async () => {
    host.refuse = /\.onnx$/
    const page = await open(browser.context, host.url)
    await page.setInputFiles('#file', photo('tiny.png'))
    assert.match(await line(page), /style could not be loaded/)
    host.refuse = null
    await page.check('[name=style][value=hayao]')
    await made(page)
  })

  test('an engine that does not come: one line', async () => {
    host.refuse = /\.wasm$/
    const page = await open(browser.context, host.url)
    assert.match(await line(page), /could not be loaded/)
    host.refuse = null
  })

  test('a browser without WebAssembly SIMD: one line', async () => {
    const page = await browser.context.newPage()
    await page.route(/worker-.*\.js/, async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, body: `WebAssembly.validate = () => false;${await response.text()}` })
    })
    await page.goto(host.url)
    assert.match(await line(page), /too old/)
  })

  test('a camera that is not allowed: one line', async () => {
    const page = await open(browser.context, host.url)
    await page.click('#camera')
    assert.match(await line(page), /camera cannot be used/)
  })
})

describe('with WebGPU', () => {
  test('the picture equals the Python runtime\'s', async (t) => {
    const host = await serve(DIST, { isolated: true })
    const software = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--use-vulkan=swiftshader', '--enable-features=Vulkan']
    const browser = await browse({ serviceWorkers: 'block', args: software })
    const page = await open(browser.context, host.url)
    if (await page.evaluate(async () => !(await navigator.gpu?.requestAdapter()))) t.skip('this browser has no WebGPU')
    else {
      await page.evaluate(() => localStorage.setItem('anime-lite:engine', '"gpu"'))
      await page.reload()
      await stylize(page, photo('face.png'))
      for (const style of ['hayao', 'shinkai']) {
        await choose(page, 'style', style)
        const off = difference(await shown(page), reference('face', style))
        t.diagnostic(`${style}: ${await page.textContent('#note')} Mean difference ${off.toFixed(4)} of 255`)
        assert.ok(off < CLOSE)
      }
      assert.match(await page.textContent('#note'), /WebGPU/)
      assert.deepEqual(page.trouble, [])
    }
    await browser.close()
    await host.close()
  })
})

describe('without a network', () => {
  test('after the first visit the page loads and works, with threads that the service worker allows', async (t) => {
    const host = await serve(DIST)
    const browser = await browse()
    const page = await open(browser.context, host.url)
    await page.waitForSelector('#offline:not([hidden])', { timeout: 60_000 })
    await host.close()
    await page.reload()
    assert.equal(await page.evaluate(() => crossOriginIsolated), true)
    await stylize(page, photo('face.png'))
    for (const style of ['hayao', 'shinkai']) {
      await choose(page, 'style', style)
      assert.ok(difference(await shown(page), reference('face', style)) < CLOSE)
    }
    t.diagnostic(await page.textContent('#note'))
    await browser.close()
  })
})
