/* Everything slow happens here, so that the page never freezes: the network, then the colours.

   In: {start: "auto" | "gpu" | "cpu", style, size} once, then
     {id, photo?, style, size, look, stroke}: `size` is that of the style's network, `look` is what grading.js wants, and `photo` comes only when it is a new one;
     {cancel: true}: nothing is wanted any more;
     {frame: ImageBitmap, id, style, size, look}: of a camera or a film, drawn at its own size. Whoever sends it waits for the answer.
   Out: {ready, files, threads, provider, runtime}, {id, step, steps}, {id, picture, ...facts}, {id, frame: ImageBitmap, ms} or
   {id, failure, detail}. A request for a picture that is no longer the newest is dropped without an answer. */

import models, { enlargers } from 'virtual:models'
import { drawn } from '../package/src/drawing.js'
import { Failure } from '../package/src/failure.js'
import { grade } from '../package/src/grading.js'
import { stylize } from '../package/src/tiles.js'
import { startEngine } from './engine.js'

let engine // a promise
let wanted = {} // of the newest request: its id, what to draw, and which photo
let photos = 0
let photo
let made = {} // {drawing, anime, facts} of the current photo
let queue = Promise.resolve()

self.onmessage = ({ data }) => {
  if (data.start) return start(data)
  if (data.cancel) return void (wanted = {})
  if (!data.frame) {
    if (data.photo) photos++
    wanted = { id: data.id, drawing: drawingOf(data), photos }
  }
  queue = queue.then(() => (data.frame ? drawFrame(data) : answer(data))).catch((error) => self.postMessage({ id: data.id, ...told(error) }))
}

/** What the network's picture depends on, beside the photo. */
const drawingOf = ({ style, size, stroke }) => `${style} ${size} ${stroke}`
const modelOf = ({ style, size }) => models.find((each) => each.style === style && each.size === size)

async function start({ start: preference, ...network }) {
  try {
    engine = startEngine(preference)
    const { files, kept, session } = await engine
    const { provider, runtime, threads } = await session(modelOf(network))
    await kept() // for offline use, where ONNX Runtime was needed
    self.postMessage({ ready: true, files, threads, provider, runtime })
  } catch (error) {
    self.postMessage({ id: 0, ...told(error) })
  }
}

async function answer({ id, photo: next, look, ...request }) {
  if (next) [photo, made] = [next, {}]
  await messages()
  if (id !== wanted.id) return
  if (made.drawing !== drawingOf(request)) made = await run(id, request)
  if (id !== wanted.id || !made.drawing) return
  const start = performance.now()
  const picture = grade(made.anime, photo.data, look)
  const facts = { ...made.facts, gradeMs: performance.now() - start, fresh: made.fresh }
  made.fresh = false // a time is recorded once, not with each change of colour
  self.postMessage({ id, picture, width: photo.width, height: photo.height, ...facts }, [picture.buffer])
}

async function run(id, request) {
  const { style, size, stroke } = request
  const { session, withoutGpu } = await engine
  let network = await session(modelOf(request))
  const start = performance.now()
  const current = photos
  const drawing = drawingOf(request)
  const onStep = async (step, steps) => {
    self.postMessage({ id, step, steps })
    await messages()
    return wanted.drawing === drawing && wanted.photos === current // other colours alone are no reason to begin again
  }
  const again = async (error) => {
    if (network.provider === 'wasm') throw error
    network = await withoutGpu(modelOf(request))
    return drawn(photo, network, { stroke, enlarger: (factor) => withoutGpu(enlargers[factor]), onStep })
  }
  const found = await drawn(photo, network, { stroke, enlarger: (factor) => session(enlargers[factor]), onStep }).catch(again)
  if (!found) return {}
  const facts = { style, size, drawn: found.size, ms: performance.now() - start, provider: network.provider, threads: network.threads }
  return { drawing, anime: found.data, fresh: true, facts }
}

async function drawFrame({ frame, id, look, ...request }) {
  const { session } = await engine
  const network = await session(modelOf(request))
  const start = performance.now()
  const { width, height } = frame
  const canvas = new OffscreenCanvas(width, height)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  context.drawImage(frame, 0, 0)
  frame.close()
  const pixels = context.getImageData(0, 0, width, height)
  const anime = await stylize(pixels, network.radius, network.run)
  context.putImageData(new ImageData(grade(anime, pixels.data, look), width, height), 0, 0)
  const bitmap = canvas.transferToImageBitmap()
  self.postMessage({ id, frame: bitmap, ms: performance.now() - start, provider: network.provider, threads: network.threads }, [bitmap])
}

const { port1: door, port2: bell } = new MessageChannel() // a timer would wait for milliseconds
const behind = []
door.onmessage = () => behind.shift()()

/** Lets messages that have arrived be seen, a newer request among them. */
const messages = () => new Promise((resolve) => {
  behind.push(resolve)
  bell.postMessage(null)
})

function told(error) {
  if (error instanceof Failure) return { failure: error.code, detail: error.message }
  const memory = error instanceof RangeError || /memory|alloc/i.test(String(error?.message ?? error))
  return { failure: memory ? 'noMemory' : 'noRun', detail: String(error?.message ?? error) }
}
