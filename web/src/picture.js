/* Files to pixels, within what a tab can hold. */

import { Failure } from '../package/src/failure.js'
import { inspect } from './file_check.js'

export const MOST_MEGAPIXELS = 120 // more than any camera's; browsers decode the whole picture before they scale it
const CANVAS_PIXELS = 16_000_000 // Safari on a phone has no larger canvas

/** A decoded, upright picture (EXIF) from a file or blob; its `frames` are those of the file. Throws `Failure` with a line for the visitor. */
export async function openPicture(file, name = file.name ?? '') {
  if (!file.size) throw new Failure('emptyFile')
  // Vector files have no pixels of their own, and may ask for other files.
  if (file.type === 'image/svg+xml' || /^(text|video|audio)\//.test(file.type)) throw new Failure('notPicture')
  const { cut, frames } = inspect(new Uint8Array(await file.arrayBuffer()))
  if (cut) throw new Failure('cutOff')
  let image
  try {
    image = await measured(file)
    await image.decode() // a file whose header is right and whose rest is not fails here
    return Object.assign(image, { frames })
  } catch (error) {
    if (image) close(image)
    if (error instanceof Failure) throw error
    throw new Failure(/\.hei[cf]$/i.test(name) ? 'heic' : 'notPicture')
  }
}

/** A small picture of a file, its longer side of `side` pixels; null where there is none. */
export async function small(file, side) {
  try {
    const image = await measured(file)
    close(image)
    const longer = image.naturalWidth < image.naturalHeight ? 'resizeHeight' : 'resizeWidth'
    return await createImageBitmap(file, { [longer]: side, resizeQuality: 'medium' })
  } catch {
    return null
  }
}

/** A picture whose size is known, not decoded yet. Throws `Failure` beyond the bound, an event where it cannot be read. */
async function measured(file) {
  const image = new Image()
  image.src = URL.createObjectURL(file)
  try {
    await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }))
    const megapixels = (image.naturalWidth * image.naturalHeight) / 1e6
    if (megapixels > MOST_MEGAPIXELS) throw new Failure('tooLarge', String(Math.ceil(megapixels)))
    return image
  } catch (error) {
    close(image)
    throw error
  }
}

/** Frees the file behind a picture from `openPicture`. */
export function close(image) {
  URL.revokeObjectURL(image.src)
}

/** Width and height to work at: `limit` is the longest side in pixels, or "full" for all that a canvas holds. */
export function workingSize({ naturalWidth: width, naturalHeight: height }, limit) {
  const scale = limit === 'full' ? Math.sqrt(CANVAS_PIXELS / (width * height)) : limit / Math.max(width, height)
  if (scale >= 1) return { width, height }
  return { width: Math.max(Math.floor(width * scale), 1), height: Math.max(Math.floor(height * scale), 1) }
}

/** Draws the picture onto a canvas, transparency on white, and returns its pixels as ImageData. */
export function pixels(image, { width, height }, canvas) {
  Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!honest(context)) throw new Failure('noCanvas')
  context.fillStyle = 'white'
  context.fillRect(0, 0, width, height)
  context.imageSmoothingQuality = 'high'
  context.drawImage(image, 0, 0, width, height)
  return context.getImageData(0, 0, width, height)
}

/** Some browsers give pages made-up pixels; a picture made from those would be noise. */
function honest(context) {
  context.fillStyle = 'rgb(12, 180, 77)'
  context.fillRect(0, 0, 1, 1)
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data
  return Math.abs(red - 12) + Math.abs(green - 180) + Math.abs(blue - 77) < 8
}
