/* Pictures of the page for docs/: `node test/screenshots.mjs OUT`, on the built site (WEB_DIST, or dist/). */

import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { browse, made, open } from './browser.mjs'
import { serve } from './serve.mjs'

const out = resolve(process.argv[2] ?? '.')
const DESKTOP = { viewport: { width: 1360, height: 940 } }
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }
const VIEWS = {
  desktop: DESKTOP,
  dark: { ...DESKTOP, colorScheme: 'dark', palette: 'dusk' },
  phone: PHONE,
  'phone-dark': { ...PHONE, colorScheme: 'dark', locale: 'zh-CN' },
}

mkdirSync(out, { recursive: true })
const host = await serve(resolve(process.env.WEB_DIST ?? join(import.meta.dirname, '../dist')), { isolated: true })
for (const [name, { palette, ...options }] of Object.entries(VIEWS)) {
  const browser = await browse(options)
  const page = await open(browser.context, host.url)
  await page.waitForSelector('#offline:not([hidden])')
  const shoot = (part) => page.screenshot({ path: join(out, `web-${name}${part}.jpg`), type: 'jpeg', quality: 82, fullPage: true })
  await shoot('-start')
  await page.click('#sample')
  await made(page)
  if (palette) await page.check(`[name=palette][value=${palette}]`)
  await made(page)
  await shoot('')
  // a phone's innerWidth grows with what spills over
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - screen.width)
  if (wide > 0) page.trouble.push(`${wide} pixels wider than the screen`)
  if (page.trouble.length) console.error(name, page.trouble)
  await browser.close()
}
await host.close()
