/* Everything slow happens here, so that the page never freezes: the network, then the colours.

   In: {start: "auto" | "gpu" | "cpu", style} once, then {id, photo?, style, look}: `look` is what
   grading.js wants, and `photo` comes only when it is a new one.
   Out: {ready, files, threads, provider}, {id, tile, tiles}, {id, picture, ...facts} or {id, failure, detail}. A request that is
   no longer the newest is dropped without an answer. */

import models from 'virtual:models'
import { startEngine } from './engine.js'
import { Failure } from './failure.js'
import { grade } from './grading.js'
import { stylize } from './stylizer.js'

let engine // a promise
let wanted = {} // of the newest request: its id, style and which photo
let photos = 0
let photo
let made = {} // {style, anime, facts} of the current photo
let queue = Promise.resolve()

self.onmessage = ({ data }) => {
  if (data.start) return start(data)
  if (data.photo) photos++
  wanted = { id: data.id, style: data.style, photos }
  queue = queue.then(() => answer(data)).catch((error) => self.postMessage({ id: data.id, ...told(error) }))
}

async function start({ start: preference, style }) {
  try {
    engine = startEngine(preference)
    const { files, threads, session } = await engine
    // Loads the engine's own file, so that it can be kept for offline use.
    const { provider } = await session(models.find((model) => model.style === style))
    self.postMessage({ ready: true, files, threads, provider })
  } catch (error) {
    self.postMessage({ id: 0, ...told(error) })
  }
}

async function answer({ id, photo: next, style, look }) {
  if (next) [photo, made] = [next, {}]
  await messages()
  if (id !== wanted.id) return
  if (made.style !== style) made = await run(id, style)
  if (id !== wanted.id || !made.style) return
  const start = performance.now()
  const picture = grade(made.anime, photo.data, look)
  const facts = { ...made.facts, gradeMs: performance.now() - start, fresh: made.fresh }
  made.fresh = false // a time is recorded once, not with each change of colour
  self.postMessage({ id, picture, width: photo.width, height: photo.height, ...facts }, [picture.buffer])
}

async function run(id, style) {
  const model = models.find((each) => each.style === style)
  const { session, threads, withoutGpu } = await engine
  let network = await session(model)
  const start = performance.now()
  const current = photos
  const onTile = async (tile, tiles) => {
    self.postMessage({ id, tile, tiles })
    await messages()
    return wanted.style === style && wanted.photos === current // other colours alone are no reason to begin again
  }
  const again = async (error) => {
    if (network.provider === 'wasm') throw error
    network = await withoutGpu(model)
    return stylize(photo, model.radius, network.run, onTile)
  }
  const anime = await stylize(photo, model.radius, network.run, onTile).catch(again)
  if (!anime) return {}
  return { style, anime, fresh: true, facts: { style, ms: performance.now() - start, provider: network.provider, threads } }
}

/** Lets messages that have arrived be seen, a newer request among them. */
const messages = () => new Promise((resolve) => setTimeout(resolve))

function told(error) {
  if (error instanceof Failure) return { failure: error.code, detail: error.message }
  const memory = error instanceof RangeError || /memory|alloc/i.test(String(error?.message ?? error))
  return { failure: memory ? 'noMemory' : 'noRun', detail: String(error?.message ?? error) }
}
