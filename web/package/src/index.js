/* The npm package: photos to anime in a page or a worker of somebody else's. */

import { enlargers, styles as models } from 'virtual:styles'
import { drawn } from './drawing.js'
import { Failure } from './failure.js'
import { favourite } from './favourite.js'
import { grade, PALETTES } from './grading.js'
import { fetchModel, openModel, threadsHere } from './sessions.js'

export const styles = Object.keys(models)
export const sizes = Object.fromEntries(styles.map((style) => [style, Object.keys(models[style])]))
export const palettes = PALETTES

const SMALLEST_STROKE = 64
const HAVE_FRAME = 2 // HTMLMediaElement.HAVE_CURRENT_DATA

/** What a `StylizerError` says, by its code. */
const WORDS = {
  noModel: (name) => `the model ${name} could not be loaded: is its file on the server?`,
  badModel: (name, detail) => `the model ${name} cannot be used: ${detail}`,
  noEngine: (name, detail) => `ONNX Runtime could not be started: ${detail}`,
  noSource: (name, detail) => `the source cannot be drawn: ${detail}`,
  badOption: (name, detail) => detail,
}

export class StylizerError extends Error {
  constructor(code, name, detail) {
    super(WORDS[code]?.(name, detail) ?? detail)
    Object.assign(this, { name: 'StylizerError', code })
  }
}

export async function createStylizer({ size, style = styleIn(size), model, ort, gpu = false, threads, wasmPaths, stroke } = {}) {
  if (!model && !models[style]) throw new StylizerError('badOption', '', `there is no style "${style}": there is ${styles.join(', ')}`)
  if (model && size) throw new StylizerError('badOption', '', 'a size is of a style that comes with the package, not of a model of your own')
  if (size && !sizes[style].includes(size)) throw new StylizerError('badOption', '', `there is no size "${size}" of ${style}: there is ${sizes[style].join(', ')}`)
  checkedStroke(stroke)
  const runtime = async () => {
    const found = ort ?? (await engine())
    if (threads) found.env.wasm.numThreads = threads
    if (wasmPaths) found.env.wasm.wasmPaths = wasmPaths
    return found
  }
  const opened = async (source) => {
    const name = source instanceof Uint8Array ? 'given as bytes' : String(source)
    try {
      return await openModel(source instanceof Uint8Array ? source : await fetchModel(source), { ort: runtime, gpu, threads: threadsHere(threads) })
    } catch (error) {
      throw error instanceof Failure ? new StylizerError(error.code, name, error.message) : error
    }
  }
  const network = await opened(model ?? models[style][size ?? 'lite'])
  const enlarging = {} // promises of the enlargers by their factors, loaded with the first picture that needs them
  const enlarger = (factor) => {
    enlarging[factor] ??= opened(enlargers[factor]).catch((error) => {
      delete enlarging[factor] // the next picture tries again
      throw error
    })
    return enlarging[factor]
  }
  const options = { network, enlarger, stroke }
  return {
    style: model ? undefined : style,
    size: model ? undefined : (size ?? 'lite'),
    provider: network.provider,
    stylize: (source, wanted) => stylized(source, options, wanted),
    async close() {
      await network.close()
      for (const enlarger of Object.values(enlarging)) await enlarger.then((each) => each.close(), () => {}) // one that did not come is none
    },
  }
}

/** Where no style is named: the favourite of those that there are in the size, of all where there is none. */
const styleIn = (size) => favourite(styles.filter((style) => !size || sizes[style].includes(size))) ?? favourite(styles)

async function engine() {
  try {
    return await import('onnxruntime-web/wasm')
  } catch (error) {
    throw new StylizerError('noEngine', '', error.message)
  }
}

async function stylized(source, { network, enlarger, ...defaults }, options = {}) {
  const { palette = 'none', strength = 1, keepColour = false, stroke = defaults.stroke, signal, onProgress } = options
  if (!PALETTES.includes(palette)) throw new StylizerError('badOption', '', `there is no palette "${palette}": there is ${PALETTES.join(', ')}`)
  if (!(strength >= 0 && strength <= 1)) throw new StylizerError('badOption', '', `strength is a number from 0 to 1, not ${strength}`)
  checkedStroke(stroke)
  signal?.throwIfAborted()
  const photo = await pixelsOf(source)
  const onStep = (done, total) => { onProgress?.(done, total); return !signal?.aborted }
  const made = await drawn(photo, network, { stroke, enlarger, onStep })
  signal?.throwIfAborted()
  return new ImageData(grade(made.data, photo.data, { palette, strength, keepColour }), photo.width, photo.height)
}

function checkedStroke(stroke) {
  if (stroke == null || stroke === 0 || stroke >= SMALLEST_STROKE) return
  throw new StylizerError('badOption', '', `stroke is the short side in pixels, from ${SMALLEST_STROKE} up, or 0 for full, not ${stroke}`)
}

/** Any picture as ImageData, upright, transparency on white. */
async function pixelsOf(source) {
  const own = source instanceof ImageData ? await createImageBitmap(source) : source instanceof Blob ? await decoded(source) : null
  try {
    return onWhite(own ?? source)
  } finally {
    own?.close()
  }
}

function onWhite(picture) {
  const [width, height] = sizeOf(Object(picture))
  if (!(width > 0 && height > 0)) throw new StylizerError('noSource', '', 'it is no picture, or has no pixels yet')
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })
  context.fillStyle = 'white'
  context.fillRect(0, 0, width, height)
  try {
    context.drawImage(picture, 0, 0, width, height)
    return context.getImageData(0, 0, width, height)
  } catch (error) {
    throw new StylizerError('noSource', '', error.message) // a picture of another host, for one
  }
}

/** Width and height of a picture's own pixels, which `<img>` and `<video>` have once they are loaded. */
function sizeOf(picture) {
  if ('naturalWidth' in picture) return [picture.naturalWidth, picture.naturalHeight]
  if ('videoWidth' in picture) return picture.readyState >= HAVE_FRAME ? [picture.videoWidth, picture.videoHeight] : []
  return [picture.displayWidth ?? picture.width, picture.displayHeight ?? picture.height]
}

async function decoded(blob) {
  try {
    return await createImageBitmap(blob)
  } catch {
    throw new StylizerError('noSource', '', 'the browser cannot decode this file')
  }
}
