/* The page's end of worker.js: pictures and frames as promises. */

import { Failure } from '../package/src/failure.js'

const GONE = ['noMemory', 'noRun', 'noEngine'] // after these the engine is not to be trusted, and begins anew

/** `onReady(facts)`, `onStep(step, steps)` and `onFailure(failure)` (of the start) are told as they happen. */
export function startDrawer({ onReady, onStep, onFailure }) {
  let worker
  let broken = false // its script did not come, or failed: the next request starts another one
  let preference, first
  let ids = 0
  let picture = null // {id, resolve, reject} of the newest request for a picture
  const frames = new Map()

  /** `network` is the {style, size} that is opened first. */
  function start(choice, network) {
    ;[preference, first] = [choice, network]
    worker?.terminate()
    broken = false
    settle(new Failure('stopped'))
    worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data }) => receive(data)
    worker.onerror = () => {
      broken = true
      settle(new Failure('noEngine'))
      onFailure(new Failure('noEngine'))
    }
    worker.postMessage({ start: preference, style: first.style, size: first.size })
  }

  function receive(data) {
    if (data.ready) return onReady(data)
    if (data.failure) return failed(data)
    if (data.frame) return frames.get(data.id)?.resolve(data), frames.delete(data.id)
    if (data.id !== picture?.id) return
    if (data.steps) return onStep(data.step, data.steps)
    picture.resolve(data)
    picture = null
  }

  function failed({ id, failure, detail }) {
    const error = new Failure(failure, detail)
    const waits = frames.get(id) ?? (picture?.id === id ? picture : null)
    frames.delete(id)
    if (waits === picture) picture = null
    if (GONE.includes(failure) && id) start(preference, first)
    if (waits) waits.reject(error)
    else if (!id) { settle(error); onFailure(error) }
  }

  /** Whoever waits is told. */
  function settle(error) {
    picture?.reject(error)
    picture = null
    for (const { reject } of frames.values()) reject(error)
    frames.clear()
  }

  return {
    start,
    /** A picture {picture, width, height, ...facts}; null where a newer request or `cancel` came in between. */
    draw({ photo, ...request }) {
      if (broken) start(preference, first)
      picture?.resolve(null)
      const id = ++ids
      const promise = new Promise((resolve, reject) => { picture = { id, resolve, reject } })
      worker.postMessage({ id, photo, ...request }, photo ? [photo.data.buffer] : [])
      return promise
    },
    /** {frame: ImageBitmap, ms} for a bitmap, which is given away. */
    frame(bitmap, { style, size, look }) {
      if (broken) start(preference, first)
      const id = ++ids
      const promise = new Promise((resolve, reject) => frames.set(id, { resolve, reject }))
      worker.postMessage({ frame: bitmap, id, style, size, look }, [bitmap])
      return promise
    },
    cancel() {
      picture?.resolve(null)
      picture = null
      worker.postMessage({ cancel: true })
    },
  }
}
