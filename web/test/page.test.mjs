/* The built site (WEB_DIST, or dist/) in Chromium, against the Python runtime (PYTHON, or the project's .venv). */

import assert from 'node:assert/strict'
import { copyFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { browse, choose, made, open, session, shown, stylize, WITHOUT_BROWSER } from './browser.mjs'
import { difference, differences, makeReferences } from './references.mjs'
import { serve } from './serve.mjs'

const DIST = resolve(process.env.WEB_DIST ?? join(import.meta.dirname, '../dist'))
const CLOSE = { mean: 0.5, most: 16 } // levels of 255 between the tab's picture and the Python runtime's
const CLOSE_ON_GPU = { mean: 1.3, most: 25 } // where activations are not rounded to 8 bits

let references, photo, reference

before(() => {
  references = makeReferences()
  ;({ photo, reference } = references)
  writeFileSync(photo('not.jpg'), 'no picture at all')
  writeFileSync(photo('cut.png'), readFileSync(photo('face.png')).subarray(0, 30))
  writeFileSync(photo('empty.png'), '')
  writeFileSync(photo('bomb.png'), bomb())
})
after(() => references.remove())

/** Fails where the picture on the page is not that of the Python runtime. */
async function sameAsPython(t, page, name, style, close = CLOSE) {
  const { mean, most } = differences(await shown(page), reference(name, style))
  t.diagnostic(`${name}, ${style}: mean difference ${mean.toFixed(4)}, largest ${most} of 255`)
  assert.ok(mean < close.mean && most < close.most, `${name}, ${style}: ${mean}, ${most}`)
}

/** A copy of the site whose networks are none that the kernels can make. */
function siteOfOthers() {
  const folder = photo('others')
  cpSync(DIST, folder, { recursive: true })
  const assets = join(folder, 'assets')
  for (const file of readdirSync(assets)) if (/^(cute|hayao|shinkai)-.*\.onnx$/.test(file)) copyFileSync(photo('rounded.onnx'), join(assets, file))
  return folder
}

/** What a host was asked of ONNX Runtime. */
const runtimeOf = (host) => host.asked.filter((path) => /\.wasm$|\/ort[.-]/.test(path))

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
  describe(isolated ? 'a host that isolates the page: threads' : 'a host that sets no headers: one thread', { skip: WITHOUT_BROWSER }, () => {
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

    test('the picture equals the Python runtime\'s, in every style, and small and odd sizes too', async (t) => {
      assert.equal(await page.evaluate(() => crossOriginIsolated), isolated)
      const styles = JSON.parse(readFileSync(photo('styles.json')))
      assert.deepEqual(await page.$$eval('[name=style]', (all) => all.map(({ value }) => value)), styles)
      for (const name of ['face', 'tiny']) {
        await stylize(page, photo(`${name}.png`))
        for (const style of styles) {
          await choose(page, 'style', style)
          await sameAsPython(t, page, name, style)
        }
      }
    })

    test('the pictures differ from the photo and from each other, or equality would prove nothing', async () => {
      assert.ok(difference(reference('face', 'hayao'), reference('face', 'shinkai')) > 2)
      assert.ok(difference(await shown(page, 'before'), reference('tiny', 'shinkai')) > 2)
    })

    test('the time is shown and recorded', async () => {
      await choose(page, 'style', 'shinkai')
      await stylize(page, photo('face.png'))
      const [, shownTime] = (await page.textContent('#note')).match(/([\d.]+ m?s), CPU/)
      const [last] = await page.evaluate(() => JSON.parse(localStorage.getItem('anime-lite:times')))
      assert.deepEqual([last.style, last.width, last.height, last.provider], ['shinkai', 301, 243, 'wasm'])
      assert.equal(last.threads > 1, isolated && (await page.evaluate(() => navigator.hardwareConcurrency)) > 1)
      assert.ok(last.ms > 0)
      assert.equal(shownTime, last.ms < 1000 ? `${last.ms} ms` : `${(last.ms / 1000).toFixed(1)} s`)
      assert.equal(await page.textContent('#last'), shownTime)
    })

    if (isolated) {
      test('a picture made in tiles equals the whole', async (t) => {
        await page.selectOption('#size', 'full')
        await page.selectOption('#stroke', '0')
        const told = page.waitForFunction(() => /part 1 of [2-9]/.test(document.getElementById('progress').textContent))
        await stylize(page, photo('large.png'))
        await told
        await sameAsPython(t, page, 'large', 'shinkai')
        assert.match(await page.textContent('#note'), /1500 × 1000/)
      })
    }

    test('nothing went wrong, no other host was asked, and this one for nothing of ONNX Runtime', () => {
      assert.deepEqual(runtimeOf(host), [])
      assert.deepEqual(page.trouble, [])
      assert.deepEqual([...page.hosts], [new URL(host.url).host])
    })
  })
}

describe('the page', { skip: WITHOUT_BROWSER }, () => {
  let host, browser, page
  before(async () => {
    host = await serve(DIST)
    browser = await browse({ serviceWorkers: 'block' })
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

  test('palettes, strength and the photo\'s own colours are those of the Python runtime', async (t) => {
    await choose(page, 'palette', 'dusk')
    await sameAsPython(t, page, 'face', 'hayao-dusk')
    await choose(page, 'palette', 'sakura')
    await page.locator('#strength').fill('60')
    await page.check('#keep-colour')
    await made(page)
    await sameAsPython(t, page, 'face', 'hayao-mixed')
    await page.uncheck('#keep-colour')
    await page.locator('#strength').fill('100')
    await choose(page, 'palette', 'none')
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
    assert.equal(download.suggestedFilename(), 'face-hayao.png')
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
    assert.equal(jpeg.suggestedFilename(), 'face-hayao.jpg')
    assert.equal(readFileSync(await jpeg.path()).readUInt16BE(0), 0xffd8)
  })

  test('a photo taken sideways stands upright', async () => {
    await stylize(page, photo('turned.jpg'))
    assert.ok(difference(await shown(page), reference('face', 'hayao')) < 4) // a JPEG, so not the same pixels
  })

  test('a large photo is scaled, and the page says so', async () => {
    await page.selectOption('#size', '1024')
    await stylize(page, photo('large.png'))
    assert.match(await page.textContent('#note'), /1500 × 1000 px; the picture is made at 1024 × 682/)
  })

  for (const [file, end] of [['tiny.png', 'done'], ['not.jpg', 'failed']]) {
    test(`a drawing that ends while ${file} is being opened is not taken for its picture`, async () => {
      await stylize(page, photo('face.png'))
      const plain = await shown(page)
      await page.evaluate(() => {
        const { arrayBuffer } = Blob.prototype
        const gate = new Promise((resolve) => { window.openNow = resolve })
        Blob.prototype.arrayBuffer = async function () { await gate; return arrayBuffer.call(this) }
        window.openNow.restore = () => { Blob.prototype.arrayBuffer = arrayBuffer }
      })
      await page.setInputFiles('#file', photo(file))
      await page.check('[name=palette][value=dusk]')
      for (let i = 0; i < 100 && !difference(await shown(page), plain); i++) await page.waitForTimeout(50)
      assert.ok(difference(await shown(page), plain) > 2) // the photo before is drawn meanwhile, and stays
      assert.equal(await page.getAttribute('body', 'data-state'), 'busy')
      await page.evaluate(() => { window.openNow.restore(); window.openNow() })
      await page.waitForSelector(`body[data-state=${end}]`)
      assert.equal((await shown(page)).width, end === 'done' ? 5 : 301)
      await choose(page, 'palette', 'none')
    })
  }

  for (const [file, line] of [['not.jpg', /“not.jpg” is not a picture/], ['cut.png', /“cut.png” is cut off/], ['empty.png', /empty/], ['bomb.png', /400 million pixels/]]) {
    test(`${file} is refused in one line, and the page goes on`, async () => {
      await page.setInputFiles('#file', photo(file))
      await page.waitForSelector('body[data-state=failed] #message:not([hidden])')
      assert.match(await page.textContent('#message'), line)
      await stylize(page, photo('tiny.png'))
      assert.ok(await page.locator('#message').isHidden())
    })
  }

  test('small pictures keep their bound: none of a picture that is too large, none longer than the others', async () => {
    const strip = await open(browser.context, host.url)
    const narrow = await strip.evaluate(async () => {
      const real = createImageBitmap
      self.decoded = []
      self.createImageBitmap = (file, ...rest) => { self.decoded.push(file.name); return real(file, ...rest) }
      const canvas = new OffscreenCanvas(20, 1000)
      canvas.getContext('2d').fillRect(0, 0, 20, 1000)
      return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())]
    })
    await strip.setInputFiles('#file', [readFileSync(photo('tiny.png')), bomb(), Buffer.from(narrow)].map((buffer, i) => ({ name: `${i}.png`, mimeType: 'image/png', buffer })))
    await strip.waitForFunction(() => self.decoded.includes('2.png') && document.querySelectorAll('#strip canvas')[2].width < 144)
    const sizes = await strip.$$eval('#strip canvas', (all) => all.map(({ width, height }) => [width, height]))
    assert.deepEqual([Math.max(...sizes[0]), sizes[2]], [144, [3, 144]])
    assert.deepEqual(await strip.evaluate(() => self.decoded.filter((name) => /^\d\.png$/.test(name))), ['0.png', '2.png'])
    assert.deepEqual(await strip.$$eval('#strip .unread', (all) => all.map(({ title }) => title)), ['1.png'])
    await strip.close()
  })

  test('a small picture that comes when its strip is gone is let go', async () => {
    const strip = await open(browser.context, host.url)
    await strip.evaluate(() => {
      const real = createImageBitmap
      const gate = new Promise((resolve) => { self.release = resolve })
      self.createImageBitmap = async (...given) => { const bitmap = await real(...given); await gate; self.last = bitmap; return bitmap }
    })
    await strip.setInputFiles('#file', [photo('tiny.png'), photo('face.png')])
    await made(strip)
    await strip.click('#another')
    await strip.evaluate(() => self.release())
    await strip.waitForFunction(() => self.last)
    await strip.waitForTimeout(200)
    assert.equal(await strip.evaluate(() => self.last.width), 0)
    assert.deepEqual(strip.trouble, [])
    await strip.close()
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

describe('when something is missing', { skip: WITHOUT_BROWSER }, () => {
  let host, browser
  before(async () => {
    host = await serve(DIST)
    browser = await browse({ serviceWorkers: 'block' })
  })
  after(async () => {
    await browser.close()
    await host.close()
  })

  /** What the page says; a photo that is put in takes away what it said before. */
  const line = async (page) => {
    const said = await page.waitForFunction(() => document.querySelector('#message:not([hidden])')?.textContent)
    return said.jsonValue()
  }

  test('a model that does not come: one line, and another try works', async () => {
    host.refuse = /\.onnx$/
    const page = await open(browser.context, host.url)
    await page.setInputFiles('#file', photo('tiny.png'))
    assert.match(await line(page), /style could not be loaded/)
    host.refuse = null
    await page.check('[name=style][value=shinkai]')
    await made(page)
  })

  test('the page\'s own worker, which does not come: one line, and the next photo tries again', async () => {
    host.refuse = /worker-.*\.js$/
    const page = await open(browser.context, host.url)
    assert.match(await line(page), /could not be loaded/)
    await page.setInputFiles('#file', photo('tiny.png'))
    await page.waitForSelector('body[data-state=failed]')
    host.refuse = null
    await stylize(page, photo('small.png'))
  })

  test('a network for ONNX Runtime, which does not come: one line', async (t) => {
    const other = await serve(siteOfOthers(), { isolated: true })
    t.after(other.close)
    other.refuse = /\.wasm$/
    assert.match(await line(await open(browser.context, other.url)), /could not be loaded/)
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

  test('no camera: one line', async () => {
    const page = await open(browser.context, host.url)
    await page.click('#camera')
    assert.match(await line(page), /camera (cannot be used|is not allowed)/)
  })
})

describe('with WebGPU', { skip: WITHOUT_BROWSER }, () => {
  let host
  before(async () => { host = await serve(DIST) })
  after(() => host.close())

  async function withGpu(t, args, prepare = () => {}) {
    const browser = await browse({ serviceWorkers: 'block', args })
    t.after(browser.close) // also where the test fails: a browser left open would keep this process from ending
    await browser.context.addInitScript(() => localStorage.setItem('anime-lite:engine', '"gpu"'))
    await prepare(browser.context)
    return open(browser.context, host.url)
  }

  test('the picture equals the Python runtime\'s', async (t) => {
    const page = await withGpu(t, ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--use-vulkan=swiftshader', '--enable-features=Vulkan'])
    if (await page.evaluate(async () => !(await navigator.gpu?.requestAdapter()))) t.skip('this browser has no WebGPU')
    else {
      await stylize(page, photo('small.png'))
      for (const style of ['cute', 'hayao', 'shinkai']) {
        await choose(page, 'style', style)
        await sameAsPython(t, page, 'small', style, CLOSE_ON_GPU)
      }
      assert.match(await page.textContent('#note'), /WebGPU/)
      assert.ok(await page.locator('#no-gpu').isHidden())
      assert.deepEqual(page.trouble, [])
    }
  })

  const broken = {
    'no GPU at all': 'undefined',
    'a GPU that gives no adapter': '{ requestAdapter: async () => null }',
    'a GPU that gives no device': '{ requestAdapter: async () => ({ info: {}, features: new Set(), limits: {}, requestDevice: () => Promise.reject(new Error("lost")) }) }',
  }
  for (const [name, gpu] of Object.entries(broken)) {
    test(`${name}: the CPU makes the picture, and the page says so`, async (t) => {
      const page = await withGpu(t, ['--disable-gpu'], (context) => context.route(/worker-.*\.js/, async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, body: `Object.defineProperty(navigator, 'gpu', { value: ${gpu} });${await response.text()}` })
      }))
      await stylize(page, photo('small.png'))
      await sameAsPython(t, page, 'small', 'hayao')
      assert.match(await page.textContent('#note'), /CPU/)
      await page.click('summary')
      assert.ok(await page.locator('#no-gpu').isVisible())
    })
  }
})

describe('without a network', { skip: WITHOUT_BROWSER }, () => {
  test('after the first visit the page loads and works, with threads that the service worker allows', async (t) => {
    const host = await serve(DIST)
    t.after(host.close)
    const browser = await browse()
    t.after(browser.close)
    const page = await open(browser.context, host.url)
    await page.waitForEvent('load') // again, by itself: nothing is evaluated here, which would count as a visitor's touch
    assert.equal(await page.evaluate(() => crossOriginIsolated), true)
    await page.waitForSelector('#offline:not([hidden])')
    assert.deepEqual(runtimeOf(host), [])
    await host.close()
    await page.reload()
    assert.equal(await page.evaluate(() => crossOriginIsolated), true)
    await stylize(page, photo('face.png'))
    for (const style of ['cute', 'hayao', 'shinkai']) {
      await choose(page, 'style', style)
      await sameAsPython(t, page, 'face', style)
    }
    await page.click('#another')
    await page.click('#sample')
    await made(page)
    t.diagnostic(await page.textContent('#note'))
  })

  test('other pages of the host, below this one, stay as they are', async (t) => {
    const folder = photo('neighbours')
    cpSync(DIST, folder, { recursive: true })
    writeFileSync(join(folder, 'other.html'), '<title>Another page</title>')
    const host = await serve(folder)
    t.after(host.close)
    const browser = await session()
    t.after(browser.close)
    const page = await open(await browser.window(), host.url)
    await page.waitForSelector('#offline:not([hidden])')
    await page.goto(`${host.url}other.html`)
    assert.deepEqual(await page.evaluate(() => [document.title, crossOriginIsolated, Boolean(navigator.serviceWorker.controller)]), ['Another page', false, true])
    for (const address of ['index.html', '?from=home#stage']) {
      await page.goto(host.url + address)
      assert.deepEqual(await page.evaluate(() => [document.title, crossOriginIsolated]), ['AnimeGAN-Lite', true])
    }
  })

  test('ONNX Runtime is fetched once and kept where a network needs it, in a private window too', async (t) => {
    const host = await serve(siteOfOthers(), { isolated: true })
    t.after(host.close)
    const browser = await session()
    t.after(browser.close)
    const page = await open(await browser.window(), host.url)
    await page.waitForSelector('#offline:not([hidden])')
    assert.equal(host.asked.filter((path) => path.endsWith('.wasm')).length, 1)
    assert.match(await page.textContent('#facts'), /ONNX Runtime Web/)
    await host.close()
    await page.reload()
    await stylize(page, photo('tiny.png'))
  })
})
