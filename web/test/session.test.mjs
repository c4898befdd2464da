/* The built site (WEB_DIST, or dist/), one browser and one server for all: photos and files, then the camera, then films. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { choose, made, open, session, shown, stylize, WITHOUT_BROWSER } from './browser.mjs'
import { difference, differences, makeReferences, PYTHON } from './references.mjs'
import { serve } from './serve.mjs'

const DIST = resolve(process.env.WEB_DIST ?? join(import.meta.dirname, '../dist'))
const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }
const UNZIP = 'import io, json, sys, zipfile; from PIL import Image; z = zipfile.ZipFile(sys.argv[1]); print(json.dumps({n: Image.open(io.BytesIO(z.read(n))).convert("RGBA").tobytes().hex() for n in z.namelist()}))'

describe('a session', { skip: WITHOUT_BROWSER }, () => {
  let references, photo, reference, host, browser
  before(async () => {
    references = makeReferences()
    ;({ photo, reference } = references)
    host = await serve(DIST, { isolated: true })
    browser = await session(['--disable-gpu', ...CAMERA])
  })
  after(async () => {
    await browser?.close()
    await host?.close()
    references?.remove()
  })

  /** A page in a window of its own, closed when the test ends; nothing may go wrong on it. */
  async function visit(t, options = {}, prepare = () => {}) {
    const context = await browser.window({ serviceWorkers: 'block', ...options })
    t.after(() => context.close())
    await prepare(context)
    const page = await open(context, host.url)
    t.after(() => assert.deepEqual(page.trouble, []))
    return page
  }

  const state = (page, name) => page.waitForSelector(`body[data-state=${name}]`)
  const message = (page) => page.textContent('#message:not([hidden])')
  const download = async (page, button) => (await Promise.all([page.waitForEvent('download'), page.click(button)]))[0]

  test('downloads are named after style and palette', async (t) => {
    const page = await visit(t)
    await stylize(page, photo('tiny.png'))
    await page.check('[name=palette][value=dusk]')
    await made(page)
    assert.equal((await download(page, '#download')).suggestedFilename(), 'tiny-hayao-dusk.png')
  })

  test('long work is cancelled, by button and by key, and the page goes on', async (t) => {
    const page = await visit(t)
    await page.selectOption('#stroke', '0')
    for (const stop of [() => page.click('#stop'), () => page.keyboard.press('Escape')]) {
      await page.setInputFiles('#file', photo('large.png'))
      await page.waitForFunction(() => /part 1 of/.test(document.getElementById('progress').textContent))
      await stop()
      await state(page, 'stopped')
      assert.match(await message(page), /^Stopped/)
      assert.ok(await page.locator('#busy').isHidden())
      assert.ok(await page.locator('#download').isDisabled())
    }
    await stylize(page, photo('tiny.png'))
    assert.ok(await page.locator('#message').isHidden())
  })

  test('a photo that is still being opened when the work is cancelled does not come', async (t) => {
    const page = await visit(t)
    await page.setInputFiles('#file', [photo('face.png'), photo('tiny.png')])
    await made(page)
    await page.selectOption('#stroke', '0')
    await page.setInputFiles('#file', [photo('large.png'), photo('tiny.png')])
    await page.waitForFunction(() => /part 1 of/.test(document.getElementById('progress').textContent))
    await page.evaluate(() => {
      const { arrayBuffer } = Blob.prototype
      const gate = new Promise((resolve) => { window.openNow = resolve })
      Blob.prototype.arrayBuffer = async function () { await gate; return arrayBuffer.call(this) }
    })
    await page.click('#strip button:nth-child(2)')
    await page.click('#stop')
    await state(page, 'stopped')
    assert.equal(await page.getAttribute('#strip button:nth-child(1)', 'aria-current'), 'true') // what is on the stage
    await page.evaluate(() => window.openNow())
    await page.waitForTimeout(1000)
    assert.equal(await page.getAttribute('body', 'data-state'), 'stopped')
    assert.equal((await shown(page)).width, 1500)
    await page.click('#strip button:nth-child(2)')
    await made(page)
    assert.equal((await shown(page)).width, 5)
  })

  test('several photos: one after another on the stage, all in one zip, the unread one named', async (t) => {
    const page = await visit(t)
    await page.setInputFiles('#file', [photo('tiny.png'), photo('small.png'), photo('cut-200-one.jpg'), photo('tiny.png')])
    await made(page)
    assert.equal(await page.locator('#strip button').count(), 4)
    await page.click('#strip button:nth-child(2)')
    await page.waitForFunction(() => document.getElementById('after').width === 61)
    await made(page)
    assert.equal(await page.getAttribute('#strip button:nth-child(2)', 'aria-current'), 'true')
    const file = await download(page, '#all')
    assert.equal(file.suggestedFilename(), 'anime-hayao.zip')
    const found = JSON.parse(execFileSync(PYTHON, ['-c', UNZIP, await file.path()], { maxBuffer: 1e9 }))
    assert.deepEqual(Object.keys(found), ['tiny-hayao.png', 'small-hayao.png', 'tiny-hayao-2.png'])
    for (const [name, hex] of Object.entries(found)) {
      const wanted = reference(name.split('-')[0], 'hayao')
      assert.ok(differences({ ...wanted, data: Buffer.from(hex, 'hex') }, wanted).most < 4, name)
    }
    assert.match(await message(page), /without these.*cut-200-one\.jpg/)
  })

  test('a zip that is cancelled ends, and nothing is saved', async (t) => {
    const page = await visit(t)
    await page.setInputFiles('#file', [photo('small.png'), photo('large.png'), photo('large.png')])
    await made(page)
    page.on('download', () => assert.fail('something was saved'))
    await page.click('#all')
    await page.waitForFunction(() => /^Photo 2 of 3: Drawing, part/.test(document.getElementById('progress').textContent))
    await page.click('#stop')
    await state(page, 'stopped')
    await page.click('#strip button:first-child')
    await made(page)
    assert.ok(await page.locator('#all').isEnabled())
  })

  /** A zip of three photos that has come to the second, which takes a while. */
  const packing = async (page) => {
    await page.setInputFiles('#file', [photo('small.png'), photo('large.png'), photo('tiny.png')])
    await made(page)
    await page.click('#all')
    await page.waitForFunction(() => /^Photo 2 of 3: Drawing, part/.test(document.getElementById('progress').textContent))
  }

  test('a zip has all its photos in the look that it began with, whatever is chosen meanwhile', async (t) => {
    const page = await visit(t)
    const saved = page.waitForEvent('download')
    await packing(page)
    await page.check('[name=palette][value=dusk]')
    await page.selectOption('#size', '1024')
    await page.click('summary')
    await page.selectOption('#engine', 'cpu') // which ends the drawing at hand
    const file = await saved
    assert.equal(file.suggestedFilename(), 'anime-hayao.zip')
    const found = JSON.parse(execFileSync(PYTHON, ['-c', UNZIP, await file.path()], { maxBuffer: 1e9 }))
    assert.deepEqual(Object.keys(found), ['small-hayao.png', 'large-hayao.png', 'tiny-hayao.png'])
    for (const [name, hex] of Object.entries(found)) {
      const wanted = reference(name.split('-')[0], name.startsWith('large') ? 'hayao-own' : 'hayao')
      assert.ok(differences({ ...wanted, data: Buffer.from(hex, 'hex') }, wanted).most < 16, name)
    }
    await made(page)
    assert.ok(await page.locator('#message').isHidden())
    assert.ok(difference(await shown(page), reference('tiny', 'hayao')) > 2) // what was chosen counts now
    assert.equal((await download(page, '#download')).suggestedFilename(), 'tiny-hayao-dusk.png')
  })

  for (const [what, next, width] of [['another photo is put in', (page) => page.setInputFiles('#file', photo('face.png')), 301], ['a small picture is pressed', (page) => page.click('#strip button:first-child'), 61]]) {
    test(`a zip ends without a word where ${what}`, async (t) => {
      const page = await visit(t)
      page.on('download', () => assert.fail('something was saved'))
      await packing(page)
      await next(page)
      await page.waitForFunction((wanted) => document.getElementById('after').width === wanted, width)
      await made(page)
      await page.waitForTimeout(1500) // the zip would go on meanwhile
      assert.equal((await shown(page)).width, width)
      assert.ok(await page.locator('#message').isHidden())
      assert.ok(await page.locator('#all').isEnabled())
    })
  }

  test('a download is named after the picture that is shown, not after one that is still to come', async (t) => {
    let release
    const gate = new Promise((resolve) => { release = resolve })
    const page = await visit(t, {}, (context) => context.route(/shinkai-.*\.onnx$/, async (route) => { await gate; await route.continue() }))
    await stylize(page, photo('tiny.png'))
    await page.check('[name=style][value=shinkai]')
    await state(page, 'busy')
    assert.equal((await download(page, '#download')).suggestedFilename(), 'tiny-hayao.png')
    assert.match(await page.getAttribute('#after', 'aria-label'), /Hayao/)
    release()
    await made(page)
    assert.equal((await download(page, '#download')).suggestedFilename(), 'tiny-shinkai.png')
    assert.match(await page.getAttribute('#after', 'aria-label'), /Shinkai/)
  })

  test('files that are left out are named: films beside photos, and all films but the first', async (t) => {
    const page = await visit(t)
    await stylize(page, [photo('tiny.png'), photo('film.mp4'), photo('film.webm')])
    assert.match(await message(page), /Left out: film\.mp4, film\.webm$/)
    await stylize(page, photo('tiny.png'))
    assert.ok(await page.locator('#message').isHidden())
    await page.setInputFiles('#file', [photo('film.mp4'), photo('film.webm')])
    await page.waitForSelector('#film:not([hidden])')
    assert.match(await message(page), /Left out: film\.webm$/)
  })

  test('many files dropped anywhere are an album, text that is pasted is none', async (t) => {
    const page = await visit(t)
    await page.evaluate(async (files) => {
      const data = new DataTransfer()
      for (const [name, base64] of files) data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: 'image/png' }))
      dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }))
    }, ['tiny', 'small'].map((name) => [`${name}.png`, readFileSync(photo(`${name}.png`)).toString('base64')]))
    await made(page)
    assert.equal(await page.locator('#strip button').count(), 2)
    await page.evaluate(() => {
      const data = new DataTransfer()
      data.setData('text', 'hello')
      dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))
    })
    assert.equal(await page.locator('#strip button').count(), 2)
  })

  test('the picture is shared where the device can, and the button is not there where it cannot', async (t) => {
    const without = await visit(t, {}, (context) => context.addInitScript(() => { navigator.canShare = undefined }))
    assert.ok(await without.locator('#share').isHidden())
    const page = await visit(t, {}, (context) => context.addInitScript(() => {
      navigator.canShare = ({ files }) => files.length === 1
      navigator.share = async ({ files: [file] }) => {
        if (self.refuse) throw new DOMException('no', self.refuse)
        self.shared = [file.name, file.type, file.size > 50]
      }
    }))
    await stylize(page, photo('tiny.png'))
    await page.click('#share')
    await page.waitForFunction(() => self.shared)
    assert.deepEqual(await page.evaluate(() => self.shared), ['tiny-hayao.png', 'image/png', true])
    await page.evaluate(() => { self.refuse = 'AbortError' }) // thought better of it
    await page.click('#share')
    assert.ok(await page.locator('#message').isHidden())
    await page.evaluate(() => { self.refuse = 'DataError' })
    await page.click('#share')
    assert.match(await message(page), /Nothing could be shared/)
  })

  test('it can be installed: the offer of the browser is a button, the icons are what the manifest says', async (t) => {
    const page = await visit(t, {}, (context) => context.addInitScript(() => {
      addEventListener('beforeinstallprompt', (event) => event.isTrusted && event.stopImmediatePropagation()) // only the test's own
    }))
    assert.ok(await page.locator('#install').isHidden())
    await page.evaluate(() => {
      const offer = Object.assign(new Event('beforeinstallprompt', { cancelable: true }), { prompt: async () => { self.prompted = true } })
      dispatchEvent(offer)
      self.prevented = offer.defaultPrevented
    })
    await page.click('#install')
    assert.deepEqual(await page.evaluate(() => [self.prompted, self.prevented]), [true, true])
    await page.waitForSelector('#install', { state: 'hidden' })
    const icons = await page.evaluate(async () => {
      const manifest = await (await fetch('./manifest.webmanifest')).json()
      return Promise.all(manifest.icons.filter(({ type }) => type === 'image/png').map(async ({ src, sizes }) => {
        const { width, height } = await createImageBitmap(await (await fetch(src)).blob())
        return [sizes, `${width}x${height}`]
      }))
    })
    assert.ok(icons.length >= 3)
    for (const [said, found] of icons) assert.equal(found, said)
  })

  test('the browser\'s bars follow the theme, and links to the page have a picture', async (t) => {
    const page = await visit(t)
    const colour = () => page.getAttribute('meta[name=theme-color]', 'content')
    const light = await colour()
    await page.click('#theme')
    assert.notEqual(await colour(), light)
    const tags = await page.$$eval('meta[property^="og:"], meta[name^="twitter:"], link[rel=apple-touch-icon]', (all) => all.map((each) => each.getAttribute('property') ?? each.name ?? each.rel))
    for (const tag of ['og:title', 'og:description', 'og:image', 'twitter:card']) assert.ok(tags.includes(tag), tag)
    const [preview, touch] = await page.evaluate(async () => {
      const sizes = [document.querySelector('meta[property="og:image"]').content, document.querySelector('link[rel=apple-touch-icon]').href]
      return Promise.all(sizes.map(async (url) => { const { width, height } = await createImageBitmap(await (await fetch(url)).blob()); return [width, height] }))
    })
    assert.deepEqual([preview, touch], [[1200, 630], [180, 180]])
  })

  test('of a picture that moves the first is drawn, and the page says so', async (t) => {
    const page = await visit(t)
    for (const name of ['cut-0-moving.gif', 'cut-0-moving.webp', 'cut-0-moving.png']) {
      await stylize(page, photo(name))
      assert.match(await page.textContent('#note'), new RegExp(`“${name}” moves; only its first picture`))
    }
    await stylize(page, photo('cut-0-one.gif'))
    assert.doesNotMatch(await page.textContent('#note'), /moves/)
  })

  test('files that break off are refused, as the Python runtime refuses them', async (t) => {
    const page = await visit(t)
    const verdicts = JSON.parse(readFileSync(photo('cut.json')))
    for (const name of ['cut-2-one.jpg', 'cut-2000-scans.jpg', 'cut-200-one.png', 'cut-40-moving.gif', 'cut-2-one.webp', 'cut-40-one.bmp', 'cut-40-one.avif']) {
      assert.equal(verdicts[name], 0, name)
      await page.setInputFiles('#file', photo(name))
      await page.waitForFunction((wanted) => document.getElementById('message').textContent.includes(wanted), name)
      assert.match(await message(page), /is cut off: its end is missing/)
    }
    assert.equal(verdicts['cut-2-one.png'], 1)
    await stylize(page, photo('cut-2-one.png'))
  })

  test('on a phone picture and palettes are in one view, and nothing is wider than the screen', async (t) => {
    const page = await visit(t, PHONE)
    for (const name of ['face.png', 'cut-0-one.jpg']) {
      await stylize(page, photo(name))
      const seen = await page.evaluate(() => ['compare', 'palettes'].map((id) => document.getElementById(id).getBoundingClientRect()).every(({ top, bottom }) => top >= 0 && bottom <= innerHeight))
      assert.ok(seen, name)
    }
    await page.evaluate(() => (document.getElementById('install').hidden = false)) // as where the page can be installed
    // a phone's innerWidth grows with what spills over
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - screen.width), 0)
  })

  test('a large photo is drawn at the working size and enlarged, as the Python runtime does it', async (t) => {
    const page = await visit(t)
    await stylize(page, photo('large.png'))
    for (const [style, size] of [['hayao', '1080 × 720'], ['cute', '672 × 448']]) { // what each style asks for
      await choose(page, 'style', style)
      const { mean, most } = differences(await shown(page), reference('large', `${style}-own`))
      t.diagnostic(`${style}: mean difference ${mean.toFixed(4)}, largest ${most} of 255`)
      assert.ok(mean < 0.5 && most < 16, `${style}: ${mean}, ${most}`)
      const note = await page.textContent('#note')
      assert.ok(note.includes(`1500 × 1000 px, every pixel of your photo. Drawn at ${size} px and enlarged.`), note)
      assert.ok(difference(reference('large', `${style}-own`), reference('large', style)) > 0.5) // or equality would prove nothing
    }
  })

  test('where memory ends there is one line, and the page goes on', async (t) => {
    const page = await visit(t, {}, (context) => context.route(/worker-.*\.js/, async (route) => {
      const response = await route.fetch()
      const small = 'const Real = Float32Array; self.Float32Array = class extends Real { constructor(first, ...rest) { if (first > 1e6) throw new RangeError("Array buffer allocation failed"); super(first, ...rest) } };'
      await route.fulfill({ response, body: small + (await response.text()) })
    }))
    await page.selectOption('#stroke', '0')
    await page.setInputFiles('#file', photo('large.png'))
    await state(page, 'failed')
    assert.match(await message(page), /not enough memory for this size/)
    await stylize(page, photo('tiny.png'))
    assert.ok(await page.locator('#message').isHidden())
    await page.setInputFiles('#file', [photo('tiny.png'), photo('large.png'), photo('cut-200-one.jpg')])
    await made(page)
    await download(page, '#all')
    await page.waitForSelector('#message:not([hidden])')
    assert.match(await message(page), /without these, which could not be read or drawn: cut-200-one.jpg, large.png/)
    await page.setInputFiles('#file', [photo('large.png'), photo('large.png')])
    await state(page, 'failed')
    page.on('download', () => assert.fail('something was saved'))
    await page.click('#all')
    await page.waitForFunction(() => document.body.dataset.state === 'failed' && !document.getElementById('all').disabled)
    assert.match(await message(page), /not enough memory for this size/) // and not that these are no pictures
  })

  describe('live', () => {
    const frames = (page) => page.$eval('#live-facts', ({ dataset }) => Number(dataset.frames ?? 0))
    const more = async (page, n = 3) => {
      const now = await frames(page)
      await page.waitForFunction((wanted) => Number(document.getElementById('live-facts').dataset.frames) >= wanted, now + n)
    }
    const live = async (page) => {
      await page.click('#camera')
      await page.waitForSelector('#live:not([hidden])')
      await more(page)
    }
    const picture = (page) => shown(page, 'live-picture')

    test('the camera is drawn as it goes, its rate and size shown, and ends when it is closed', async (t) => {
      const page = await visit(t)
      await live(page)
      assert.match(await page.textContent('#live-facts'), /^[\d.]+ frames a second · (\d+) × (256|384) px · \d+ ms behind · CPU/)
      const first = await picture(page)
      await more(page)
      assert.ok(difference(first, await picture(page)) > 0) // it moves
      const track = await page.evaluateHandle(() => document.getElementById('live-video').srcObject.getTracks()[0])
      await page.click('#leave')
      await page.waitForSelector('#drop:not([hidden])')
      assert.equal(await track.evaluate(({ readyState }) => readyState), 'ended')
    })

    test('one frame at a time is on its way, however many the camera has', async (t) => {
      const page = await visit(t, {}, (context) => context.addInitScript(() => {
        self.most = self.waiting = 0
        const post = Worker.prototype.postMessage
        Worker.prototype.postMessage = function (data, ...rest) {
          if (data.frame) self.most = Math.max(self.most, ++self.waiting)
          if (!this.counted) this.addEventListener('message', ({ data }) => data.frame && self.waiting--)
          this.counted = true
          return post.call(this, data, ...rest)
        }
      }))
      await live(page)
      await more(page, 5)
      assert.equal(await page.evaluate(() => self.most), 1)
    })

    test('strength, palette and style count at once', async (t) => {
      const page = await visit(t)
      await live(page)
      const grey = ({ data }) => data.every((value, i) => i % 4 === 3 || Math.abs(value - data[i - (i % 4)]) <= 2)
      assert.ok(!grey(await picture(page)))
      await page.check('[name=palette][value=noir]')
      await more(page)
      assert.ok(grey(await picture(page)))
      await page.locator('#strength').fill('0')
      await more(page)
      assert.ok(!grey(await picture(page))) // the camera itself
      await page.check('[name=style][value=hayao]')
      await more(page)
    })

    test('it is mirrored at a press, and the other camera is not', async (t) => {
      const page = await visit(t, {}, (context) => context.addInitScript(() => {
        const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
        navigator.mediaDevices.getUserMedia = (wanted) => { (self.asked ??= []).push(wanted.video.facingMode); return real(wanted) }
        // A camera that shows a red left and a blue right half: what is drawn says which way round it is.
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          ;(self.asked ??= []).push(wanted.video.facingMode)
          const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 })
          const context = canvas.getContext('2d')
          const paint = () => { context.fillStyle = 'red'; context.fillRect(0, 0, 160, 240); context.fillStyle = 'blue'; context.fillRect(160, 0, 160, 240) }
          paint()
          setInterval(paint, 50)
          return canvas.captureStream(20)
        }
      }))
      await live(page)
      const redOnTheLeft = async () => { await more(page); const { data, width, height } = await picture(page); const at = 4 * ((height >> 1) * width + (width >> 2)); return data[at] > data[at + 2] }
      assert.equal(await redOnTheLeft(), false)
      await page.click('#mirror')
      assert.equal(await redOnTheLeft(), true)
      await page.click('#mirror')
      assert.equal(await redOnTheLeft(), false)
      await page.click('#turn')
      assert.equal(await redOnTheLeft(), true)
      assert.deepEqual(await page.evaluate(() => self.asked), ['user', 'environment'])
    })

    test('the other camera, pressed twice, leaves none on', async (t) => {
      const page = await visit(t, {}, (context) => context.addInitScript(() => {
        const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
        self.streams = []
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          const late = self.streams.length ? 600 : 0
          const stream = await real(wanted)
          self.streams.push(stream)
          await new Promise((resolve) => setTimeout(resolve, late))
          return stream
        }
      }))
      await live(page)
      await page.click('#turn')
      await page.click('#turn')
      await page.waitForFunction(() => self.streams.length === 3)
      await page.waitForTimeout(1000)
      const on = () => page.evaluate(() => self.streams.map((stream) => stream.getTracks().some(({ readyState }) => readyState === 'live')))
      assert.deepEqual(await on(), [false, false, true])
      await more(page)
      await page.click('#turn')
      await page.waitForFunction(() => self.streams.length === 4)
      await page.click('#leave') // before the camera is there
      await page.waitForTimeout(1000)
      assert.deepEqual(await on(), [false, false, false, false])
    })

    test('a camera whose first frame comes late is waited for', async (t) => {
      const page = await visit(t, {}, (context) => context.addInitScript(() => {
        const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
        let calls = 0
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          if (!calls++) return real(wanted)
          const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 })
          const stream = canvas.captureStream(20)
          const begin = () => setInterval(() => {
            const context = canvas.getContext('2d')
            context.fillStyle = `hsl(${performance.now() % 360} 90% 50%)`
            context.fillRect(0, 0, 320, 240)
          }, 50)
          setTimeout(begin, 1000)
          return stream
        }
      }))
      await live(page)
      await page.click('#turn')
      await more(page)
      assert.ok(await page.locator('#message').isHidden())
    })

    test('a picture is taken of a camera that has a frame, not while it is turned', async (t) => {
      const page = await visit(t, {}, (context) => context.addInitScript(() => {
        const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
        let calls = 0
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          if (calls++) await new Promise((resolve) => setTimeout(resolve, 1500))
          return real(wanted)
        }
      }))
      await live(page)
      await page.evaluate(() => { document.getElementById('live-video').srcObject = null })
      await page.click('#turn')
      await page.click('#shoot')
      assert.ok(await page.locator('#live').isVisible())
      await more(page)
      await page.click('#shoot')
      await made(page)
      assert.deepEqual(page.trouble, [])
    })

    test('a camera that comes while the page is hidden waits, too', async (t) => {
      const page = await visit(t)
      await live(page)
      await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { value: true, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
        window.former = document.getElementById('live-video').srcObject
        document.getElementById('turn').click()
      })
      await page.waitForFunction(() => {
        const now = document.getElementById('live-video').srcObject
        return now !== window.former && now?.getTracks()[0].enabled === false
      })
    })

    test('what it runs on is changed as it goes', async (t) => {
      const page = await visit(t)
      await live(page)
      await page.click('summary')
      for (const choice of ['cpu', 'auto']) {
        await page.selectOption('#engine', choice)
        await more(page)
      }
      assert.ok(await page.locator('#message').isHidden())
    })

    test('a frame and a short clip are saved', async (t) => {
      const page = await visit(t)
      await live(page)
      const still = await download(page, '#still')
      assert.equal(still.suggestedFilename(), 'camera-hayao.png')
      assert.equal(readFileSync(await still.path()).toString('latin1', 1, 4), 'PNG')
      await page.click('#clip')
      await more(page, 6)
      assert.equal(await page.getAttribute('#clip', 'aria-pressed'), 'true')
      const clip = await download(page, '#clip')
      assert.match(clip.suggestedFilename(), /^camera-hayao\.(mp4|webm)$/)
      const script = 'import av, sys; f = av.open(sys.argv[1]); print(len(list(f.decode(video=0))), f.streams.video[0].width)'
      const [count, width] = execFileSync(PYTHON, ['-c', script, await clip.path()]).toString().split(' ').map(Number)
      assert.ok(count > 1 && width > 100, `${count} frames, ${width} px`)
      assert.equal(await page.getAttribute('#clip', 'aria-pressed'), 'false')
    })

    test('the picture that is taken is drawn like any photo', async (t) => {
      const page = await visit(t)
      await live(page)
      await page.click('#shoot')
      await made(page)
      assert.ok(await page.locator('#live').isHidden())
      assert.equal((await download(page, '#download')).suggestedFilename(), 'camera-hayao.png')
    })

    test('it pauses while the page is hidden, and goes on', async (t) => {
      const page = await visit(t)
      await live(page)
      const hide = (hidden) => page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { value, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
      await hide(true)
      await page.waitForTimeout(2500) // the frame at hand may still come
      const [before, line] = [await frames(page), await page.textContent('#live-facts')]
      await page.waitForTimeout(2500)
      assert.equal(await frames(page), before)
      assert.match(line, /Paused|frames a second/)
      assert.equal(await page.evaluate(() => document.getElementById('live-video').srcObject.getTracks()[0].enabled), false)
      await hide(false)
      await more(page)
    })

    for (const [name, error, line] of [['denied', 'NotAllowedError', /not allowed for this page/], ['missing', 'NotFoundError', /missing, or in use/]]) {
      test(`a camera that is ${name}: one line, and photos go on`, async (t) => {
        const page = await visit(t, {}, (context) => context.addInitScript((kind) => {
          navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', kind) }
        }, error))
        await page.click('#camera')
        await state(page, 'failed')
        assert.match(await message(page), line)
        assert.ok(await page.locator('#drop').isVisible())
        await stylize(page, photo('tiny.png'))
      })
    }

    test('a camera that ends by itself: one line, and it can be opened again', async (t) => {
      const page = await visit(t)
      await live(page)
      await page.evaluate(() => document.getElementById('live-video').srcObject.getTracks()[0].dispatchEvent(new Event('ended')))
      assert.match(await message(page), /camera has ended/)
      await live(page)
      assert.ok(await page.locator('#message').isHidden())
    })
  })

  describe('films', () => {
    const facts = 'import av, json, sys; f = av.open(sys.argv[1]); v = f.streams.video[0]; print(json.dumps([len(list(f.decode(video=0))), v.width, v.height, len(f.streams.audio)]))'

    for (const name of ['film.mp4', 'film.webm']) {
      test(`${name} is drawn with progress, its frames and its sound kept`, async (t) => {
        const page = await visit(t)
        await page.setInputFiles('#file', photo(name))
        await page.waitForSelector('#film:not([hidden])')
        assert.match(await page.textContent('#film-facts'), new RegExp(`^${name}: 160 × 120 px, 1.0 s`))
        await page.evaluate(() => {
          self.shares = []
          new MutationObserver(() => self.shares.push(document.getElementById('film-progress').value)).observe(document.getElementById('film-progress'), { attributes: true })
        })
        await page.click('#film-start')
        await page.waitForSelector('#film-save:not([hidden])')
        const shares = await page.evaluate(() => self.shares)
        assert.ok(shares.some((share) => share > 0 && share < 1), `${shares}`)
        const file = await download(page, '#film-save')
        assert.match(file.suggestedFilename(), /^film-hayao\.(mp4|webm)$/)
        const [frames, width, height, sounds] = JSON.parse(execFileSync(PYTHON, ['-c', facts, await file.path()]))
        t.diagnostic(`${file.suggestedFilename()}: ${frames} frames, ${sounds} sound: ${await page.textContent('#film-facts')}`)
        assert.deepEqual([frames, width, height], [12, 160, 120])
        assert.equal(sounds === 0, /sound could not be kept/.test(await page.textContent('#film-facts')))
      })
    }

    test('a film is drawn to its end though what it runs on is changed, and its drawings are let go', async (t) => {
      const page = await visit(t, {}, (context) => context.addInitScript(() => {
        self.bitmaps = []
        const post = Worker.prototype.postMessage
        Worker.prototype.postMessage = function (...sent) {
          if (!this.heard) this.addEventListener('message', ({ data }) => data.frame && self.bitmaps.push(data.frame))
          this.heard = true
          if (sent[0].frame && !self.changed && self.bitmaps.length > 2) {
            self.changed = true
            const engine = document.getElementById('engine')
            engine.value = 'cpu'
            setTimeout(() => engine.dispatchEvent(new Event('change')))
          }
          return post.apply(this, sent)
        }
      }))
      await page.setInputFiles('#file', photo('film.mp4'))
      await page.click('#film-start')
      await page.waitForSelector('#film-save:not([hidden])')
      const file = await download(page, '#film-save')
      assert.equal(JSON.parse(execFileSync(PYTHON, ['-c', facts, await file.path()]))[0], 12)
      assert.deepEqual(await page.evaluate(() => [self.changed, self.bitmaps.length >= 12, self.bitmaps.filter(({ width }) => width).length]), [true, true, 0])
    })

    test('a finished film that is left plays no longer', async (t) => {
      const page = await visit(t)
      await page.setInputFiles('#file', photo('film.mp4'))
      await page.click('#film-start')
      await page.waitForSelector('#film-result:not([hidden])')
      await page.$eval('#film-result', (video) => video.play())
      await page.click('#film-leave')
      await page.waitForSelector('#drop:not([hidden])')
      assert.deepEqual(await page.$eval('#film-result', (video) => [video.paused, video.networkState]), [true, 0])
    })

    for (const name of ['film.mp4', 'not.mp4']) {
      test(`${name}, still being opened, takes the stage from nothing that came later`, async (t) => {
        let release
        const gate = new Promise((resolve) => { release = resolve })
        const page = await visit(t, {}, (context) => context.route(/media-.*\.js$/, async (route) => { await gate; await route.continue() }))
        const buffer = name === 'film.mp4' ? readFileSync(photo(name)) : Buffer.from('no film at all')
        await page.setInputFiles('#file', { name, mimeType: 'video/mp4', buffer })
        await stylize(page, photo('tiny.png'))
        const loaded = page.waitForResponse(/media-.*\.js$/)
        release()
        await loaded
        await page.waitForTimeout(1500)
        assert.ok(await page.locator('#film').isHidden())
        assert.ok(await page.locator('#message').isHidden())
        assert.equal(await page.getAttribute('body', 'data-state'), 'done')
        assert.equal(await page.getAttribute('body', 'data-view'), 'compare')
      })
    }

    test('a film is cancelled, and photos go on', async (t) => {
      const page = await visit(t)
      await page.setInputFiles('#file', photo('film.mp4'))
      await page.click('#film-start')
      await page.waitForFunction(() => document.getElementById('film-progress').value > 0)
      await page.click('#film-leave')
      await page.waitForSelector('#drop:not([hidden])')
      await stylize(page, photo('tiny.png'))
    })

    test('a file that is no film, and a browser that cannot: one line each', async (t) => {
      const page = await visit(t)
      await page.setInputFiles('#file', { name: 'not.mp4', mimeType: 'video/mp4', buffer: Buffer.from('no film at all') })
      assert.match(await message(page), /“not.mp4” is not a film/)
      await stylize(page, photo('tiny.png'))
      const old = await visit(t, {}, (context) => context.addInitScript(() => { delete self.VideoEncoder }))
      await old.setInputFiles('#file', photo('film.mp4'))
      assert.match(await message(old), /cannot open films/)
    })
  })
})
