/* Photo to drawing at the photo's own size: at a working size through the style's network, then enlarged. */

import { STROKE, enlarged, parts, strokeSize } from './enlarging.js'
import { resized } from './resampling.js'
import { GIVEN_UP, WORTH, changedShapes, strokes } from './shapes.js'
import { smoothed } from './smoothing.js'
import { stylize, tilesOf } from './tiles.js'

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0)

/** The sizes at which `style` may draw a photo, none where that is its own. `stroke`: what a person chose; null: what the style asks for. */
export function drawnSizes(photo, style, stroke) {
  const first = stroke ?? style.stroke ?? STROKE
  const most = (stroke == null && style.strokeMost) || first
  return first ? strokes(first, most, Math.min(photo.width, photo.height)).map((each) => strokeSize(photo, each)) : []
}

/** The drawing of `photo` {width, height, data}: {data: RGBA bytes, size: at which it was drawn, null for the photo's own}. `style` is
    {run, radius, stroke, strokeMost}, and so is what `enlarger(factor)` gives, which is asked for where it is needed only. `stroke` as in
    `drawnSizes`. `onStep(done, total)` is awaited and ends the work by returning false: the result is then null. */
export async function drawn(photo, style, { stroke, enlarger, onStep }) {
  const sizes = drawnSizes(photo, style, stroke)
  if (!sizes.length) {
    const data = await stylize(photo, style.radius, style.run, onStep)
    return data && { data, size: null }
  }
  const steps = sizes.map((size) => tilesOf(size, style.radius).length)
  const total = sum(steps) + parts(photo).length
  let best = null
  for (const [i, size] of sizes.entries()) {
    const small = smoothed(resized(photo, size))
    const data = await stylize(small, style.radius, style.run, (tile) => onStep?.(sum(steps.slice(0, i)) + tile, total))
    if (!data) return null
    const change = sizes.length > 1 ? changedShapes(small, data) : 0
    if (!best || change > WORTH * best.change) best = { size, data, change }
    else if (change <= GIVEN_UP * best.change) break
  }
  let done = sum(steps)
  const data = await enlarged({ ...best.size, data: best.data }, photo, enlarger, () => onStep?.(++done, total))
  return data && { data, size: best.size }
}
