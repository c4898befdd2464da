/* A film file drawn in the tab: taken apart, decoded, drawn frame by frame, encoded and put together again, the sound kept.
   WebCodecs does the coding, Mediabunny knows the containers; it is loaded when the first film comes. */

import { Failure } from '../package/src/failure.js'
import { frameSize } from './live_pace.js'

const SIDE = 480 // pixels of the short side at most: a film is drawn at the size that it gets
const CODECS = ['avc', 'vp9', 'av1', 'vp8'] // the first that this browser encodes

export const filmsWork = () => typeof VideoDecoder === 'function' && typeof VideoEncoder === 'function'

/** What a file holds: {input, media, duration, size: of the film, drawn: size of the drawing}. Throws `Failure`. */
export async function openFilm(file) {
  if (!filmsWork()) throw new Failure('noFilms')
  const media = await import('./media.js').catch(() => { throw new Failure('noEngine') })
  const input = new media.Input({ formats: media.FORMATS, source: new media.BlobSource(file) })
  try {
    const track = await input.getPrimaryVideoTrack()
    if (!track || !(await track.canDecode())) throw new Failure('notFilm')
    const size = { width: await track.getDisplayWidth(), height: await track.getDisplayHeight() }
    return { input, media, duration: await track.computeDuration(), size, drawn: frameSize(size, SIDE) }
  } catch (error) {
    input.dispose()
    throw error instanceof Failure ? error : new Failure('notFilm', error.message)
  }
}

/** Draws all frames. `draw(canvas)` gives the drawing of a canvas as a bitmap; `onProgress(share)`. Resolves to
    {blob, silent}, to null where `signal` ended it. Throws `Failure`. */
export async function drawFilm({ input, media, drawn }, { draw, onProgress, signal }) {
  const codec = await media.getFirstEncodableVideoCodec(CODECS, drawn)
  if (!codec) throw new Failure('noFilms')
  const format = codec === 'avc' ? new media.Mp4OutputFormat({ fastStart: 'in-memory' }) : new media.WebMOutputFormat()
  const output = new media.Output({ format, target: new media.BufferTarget() })
  let broken = null
  const process = async (sample) => {
    const canvas = new OffscreenCanvas(drawn.width, drawn.height)
    sample.draw(canvas.getContext('2d'), 0, 0, drawn.width, drawn.height)
    const bitmap = await draw(canvas).catch((error) => { throw (broken = error) })
    const drawing = new media.VideoSample(bitmap, { timestamp: sample.timestamp, duration: sample.duration })
    bitmap.close()
    return drawing
  }
  const video = { ...drawn, fit: 'fill', codec, forceTranscode: true, allowTransformationMetadata: false, quality: media.QUALITY_HIGH, process }
  try {
    const conversion = await media.Conversion.init({ input, output, tracks: 'primary', video, showWarnings: false })
    if (!conversion.isValid) throw new Failure('notFilm')
    conversion.onProgress = onProgress
    signal.addEventListener('abort', () => conversion.cancel())
    if (signal.aborted) await conversion.cancel()
    await conversion.execute()
    const silent = conversion.discardedTracks.some(({ track }) => track.type === 'audio')
    return { blob: new Blob([output.target.buffer], { type: format.mimeType }), silent }
  } catch (error) {
    if (signal.aborted) return null
    throw broken ?? (error instanceof Failure ? error : new Failure('filmBroken', error.message))
  }
}
