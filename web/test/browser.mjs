import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

export const CHROMIUM = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)

const PATIENCE = 180_000 // milliseconds: a machine may have other things to do

const QUIET = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** A browser with an empty profile: the context of its pages, and `close`, which removes the profile. */
export async function browse({ args = ['--disable-gpu'], ...options } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'anime-web-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    viewport: { width: 1280, height: 860 },
    locale: 'en-GB',
    acceptDownloads: true,
    ...options,
    args: [...QUIET, ...args],
  })
  context.setDefaultTimeout(PATIENCE)
  const close = async () => {
    await context.close()
    rmSync(profile, { recursive: true, force: true })
  }
  return { context, close }
}

/** One browser for a session of tests, its profile in memory alone as a private window's: `window(options)` opens a context, `close`. */
export async function session(args = ['--disable-gpu']) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...QUIET, ...args] })
  const window = async (options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-GB', acceptDownloads: true, ...options })
    context.setDefaultTimeout(PATIENCE)
    return context
  }
  return { window, close: () => browser.close() }
}

/** Why tests that need a browser cannot run here; false where they can. */
export const WITHOUT_BROWSER = CHROMIUM ? false : 'there is no Chromium (CHROMIUM=PATH names one)'

/** The loaded page, with what it must not do written down: `trouble` (errors, policy violations) and `hosts` it asked. */
export async function open(context, url) {
  const page = await context.newPage()
  const trouble = []
  const hosts = new Set()
  page.on('pageerror', (error) => trouble.push(String(error)))
  page.on('console', (line) => line.type() === 'error' && trouble.push(line.text()))
  context.on('request', (request) => request.url().startsWith('http') && hosts.add(new URL(request.url()).host))
  await page.goto(url)
  return Object.assign(page, { trouble, hosts })
}

/** Gives the page a photo and waits for its picture. */
export async function stylize(page, files) {
  await page.setInputFiles('#file', files)
  await made(page)
}

export async function choose(page, group, value) {
  await page.check(`[name=${group}][value=${value}]`)
  await made(page)
}

export async function made(page) {
  await page.waitForSelector('body[data-state=done] #download:not(:disabled)')
}

/** The picture on the page as RGBA bytes. */
export async function shown(page, canvas = 'after') {
  const { width, height, base64 } = await page.evaluate((id) => {
    const element = document.getElementById(id)
    const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height)
    let text = ''
    for (let i = 0; i < data.length; i += 0x8000) text += String.fromCharCode(...data.subarray(i, i + 0x8000))
    return { width: element.width, height: element.height, base64: btoa(text) }
  }, canvas)
  return { width, height, data: Buffer.from(base64, 'base64') }
}
