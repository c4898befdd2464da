/* Photo to drawing at the photo's own size: at a working size through the style's network, then enlarged. */

import { STROKE, enlarged, parts, strokeSize } from './enlarging.js'
import { resized } from './resampling.js'
import { smoothed } from './smoothing.js'
import { stylize } from './tiles.js'

/** The size at which `style` draws a photo, null where that is its own. `stroke`: what a person chose; null: what the style asks for. */
export const drawnSize = (photo, style, stroke) => strokeSize(photo, stroke ?? style.stroke ?? STROKE)

/** RGBA bytes of the drawing of `photo` {width, height, data}. `style` is {run, radius, stroke}, and so is what `enlarger(factor)`
    gives, which is asked for where it is needed only. `stroke` as in `drawnSize`. `onStep(done, total)` is awaited and ends the work by returning false: the result is then null. */
export async function drawn(photo, style, { stroke, enlarger, onStep }) {
  const size = drawnSize(photo, style, stroke)
  if (!size) return stylize(photo, style.radius, style.run, onStep)
  const more = parts(photo).length
  let done = 0
  let total = more + 1
  const data = await stylize(smoothed(resized(photo, size)), style.radius, style.run, (tile, tiles) => onStep?.(done = tile, total = tiles + more))
  return data && enlarged({ ...size, data }, photo, enlarger, () => onStep?.(++done, total))
}
