/* The camera's stream, and what may go wrong with it. */

import { Failure } from '../package/src/failure.js'

/** Plays the camera in `video`; `facing` is "user" or "environment". Resolves to the stream, to null, the camera off, where it
    is no longer `wanted()`. Throws `Failure`. */
export async function openCamera(video, facing, wanted) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Failure('noCamera')
  let stream
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: 1920 } } })
    if (wanted()) {
      video.srcObject = stream
      await video.play()
    }
    if (wanted()) return stream
    stopCamera(stream)
    return null
  } catch (error) {
    stopCamera(stream)
    if (!wanted()) return null
    throw new Failure(error.name === 'NotAllowedError' ? 'cameraDenied' : 'noCamera', error.message)
  }
}

export function stopCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop()
}

/** The frame at hand at the camera's own size, as a PNG. */
export async function photograph(video, mirrored) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight)
  paint(canvas.getContext('2d'), video, canvas, mirrored)
  return canvas.convertToBlob({ type: 'image/png' })
}

/** Draws all of a picture, left and right exchanged where `mirrored`. */
export function paint(context, picture, { width, height }, mirrored) {
  context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? width : 0, 0)
  context.drawImage(picture, 0, 0, width, height)
}
