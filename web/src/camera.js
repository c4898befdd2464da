/* A picture from the camera, in a dialog. */

import { Failure } from './failure.js'

/** Resolves to a blob, or to null where the visitor cancels. Throws `Failure` where there is no camera to use. */
export async function photograph(dialog, { video, shoot, turn, leave }) {
  let facing = 'environment'
  let stream = await openCamera(video, facing)
  dialog.showModal()
  try {
    return await new Promise((resolve, reject) => {
      shoot.onclick = () => frame(video).then(resolve, reject)
      leave.onclick = () => resolve(null)
      dialog.oncancel = () => resolve(null)
      turn.onclick = async () => {
        stop(stream)
        facing = facing === 'user' ? 'environment' : 'user'
        stream = await openCamera(video, facing).catch(reject)
      }
    })
  } finally {
    stop(stream)
    video.srcObject = null
    dialog.close()
  }
}

async function openCamera(video, facingMode) {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode, width: { ideal: 1920 } } })
    video.srcObject = stream
    await video.play()
    return stream
  } catch {
    throw new Failure('noCamera')
  }
}

async function frame(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight)
  canvas.getContext('2d').drawImage(video, 0, 0)
  return canvas.convertToBlob({ type: 'image/png' })
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop()
}
