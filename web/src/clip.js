/* A short film of a canvas. */

const KINDS = ['video/mp4;codecs=avc1.42E01E', 'video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm']
export const LONGEST = 30_000 // milliseconds

/** {done: promise of the blob, stop(), pause(whether)}. The blob is null where nothing could be recorded. */
export function startClip(canvas) {
  const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind))
  let recorder
  const chunks = []
  const done = new Promise((resolve) => {
    try {
      recorder = new MediaRecorder(canvas.captureStream(), { mimeType, videoBitsPerSecond: 4_000_000 })
    } catch {
      return resolve(null)
    }
    recorder.ondataavailable = ({ data }) => data.size && chunks.push(data)
    recorder.onstop = () => resolve(new Blob(chunks, { type: recorder.mimeType || mimeType }))
    recorder.onerror = () => resolve(null)
    recorder.start(500)
  })
  const stop = () => recorder?.state !== 'inactive' && recorder?.stop()
  let left = LONGEST
  let since, limit
  const count = () => {
    since = performance.now()
    limit = setTimeout(stop, left)
  }
  count()
  done.then(() => clearTimeout(limit))
  const pause = (whether) => {
    if (recorder?.state === 'recording' && whether) {
      recorder.pause()
      clearTimeout(limit)
      left -= performance.now() - since
    } else if (recorder?.state === 'paused' && !whether) {
      recorder.resume()
      count()
    }
  }
  return { done, stop, pause }
}
