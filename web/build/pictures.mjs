/* Makes the pictures of public/ that other pictures are the source of: the icons, from icon.svg, and preview.jpg, which chats and feeds
   show, from the sample and its drawing. On the built site: `npm run build && node build/pictures.mjs && npm run build`. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { browse, made, open } from '../test/browser.mjs'
import { serve } from '../test/serve.mjs'

const PUBLIC = resolve(import.meta.dirname, '../public')
const ICONS = { 'icon-192.png': [192, 1], 'icon-512.png': [512, 1], 'icon-maskable-512.png': [512, 0.7], 'apple-touch-icon.png': [180, 0.84] }
const GROUND = '#fff0f5' // the icon's own
const PREVIEW = { width: 1200, height: 630 }

const host = await serve(resolve(import.meta.dirname, '../dist'), { isolated: true })
const browser = await browse({ serviceWorkers: 'block', viewport: PREVIEW })
const page = await open(browser.context, host.url)
await page.click('#sample')
await made(page)
const picture = (id) => page.$eval(`#${id}`, (canvas) => canvas.toDataURL('image/png'))
const [photo, anime] = [await picture('before'), await picture('after')]

const easel = await browser.context.newPage()
const svg = `data:image/svg+xml;base64,${readFileSync(join(PUBLIC, 'icon.svg')).toString('base64')}`
for (const [name, [side, share]] of Object.entries(ICONS)) {
  await easel.setViewportSize({ width: side, height: side })
  const ground = share === 1 ? 'transparent' : GROUND // icons that are cut to a shape by the device have a ground and a margin
  await easel.setContent(`<body style="margin:0;height:100vh;display:grid;place-items:center;background:${ground}"><img src="${svg}" width="${side * share}">`)
  writeFileSync(join(PUBLIC, name), await easel.screenshot({ omitBackground: true }))
}
await easel.setViewportSize(PREVIEW)
const half = (source, side) => `<div style="position:absolute;top:0;bottom:0;width:50%;${side}:0;background:url(${source}) top / cover"></div>`
await easel.setContent(`<body style="margin:0"><div style="position:relative;height:630px;overflow:hidden">${half(photo, 'left')}${half(anime, 'right')}
  <div style="position:absolute;left:50%;top:0;bottom:0;width:6px;margin-left:-3px;background:#fff"></div></div>`)
writeFileSync(join(PUBLIC, 'preview.jpg'), await easel.screenshot({ type: 'jpeg', quality: 82 }))
await browser.close()
await host.close()
