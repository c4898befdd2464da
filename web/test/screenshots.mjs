/* Pictures of the page for docs/: `node test/screenshots.mjs OUT`, on the built site (WEB_DIST, or dist/). */

import { join, resolve } from 'node:path'
import { browse, made, open } from './browser.mjs'
import { serve } from './serve.mjs'

const out = resolve(process.argv[2] ?? '.')
const VIEWS = {
  desktop: { viewport: { width: 1360, height: 960 } },
  dark: { viewport: { width: 1360, height: 960 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
}

const host = await serve(resolve(process.env.WEB_DIST ?? join(import.meta.dirname, '../dist')), { isolated: true })
for (const [name, options] of Object.entries(VIEWS)) {
  const browser = await browse(options)
  const page = await open(browser.context, host.url)
  await page.waitForSelector('#offline:not([hidden])')
  await page.screenshot({ path: join(out, `web-${name}-empty.png`), fullPage: true })
  await page.click('#sample')
  await made(page)
  await page.screenshot({ path: join(out, `web-${name}.png`), fullPage: true })
  if (page.trouble.length) console.log(name, page.trouble)
  await browser.close()
}
await host.close()
