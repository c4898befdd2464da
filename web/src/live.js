/* The camera as a film: one frame at a time is drawn, the newest there is; all others are dropped, none waits. */

import { Failure } from '../package/src/failure.js'
import { openCamera, paint, photograph, stopCamera } from './camera.js'
import { startClip } from './clip.js'
import { frameSize, startPace, startRate } from './live_pace.js'
import { runsOn } from './timings.js'
import { text } from './texts.js'

const HAVE_FRAME = 2 // HTMLMediaElement.HAVE_CURRENT_DATA

/** `drawer` draws frames as `look()` wants them; `told` are the callbacks {onPhoto(blob), onSave(blob, type), onFailure(failure)}. */
export function startLive(at, drawer, look, { onPhoto, onSave, onFailure }) {
  const [box, canvas, video] = ['live', 'live-picture', 'live-video'].map(at)
  const context = canvas.getContext('2d')
  const live = { open, close, say, get running() { return Boolean(session) } }
  let session = null // {stream, pace, rate, clip} while the camera is on
  let turns = 0 // of the camera: the stream of an earlier one is not wanted
  let facing = 'user'
  let mirrored = true

  async function open() {
    if (session) return
    const mine = (session = { stream: null, pace: startPace(), rate: startRate(), clip: null })
    try {
      if (!(await start(mine))) return // closed while the visitor was asked
      box.hidden = false
      say()
      watch(mine)
    } catch (error) {
      close()
      throw error
    }
  }

  /** Whether the camera is on: not where another turn, or the end, came before it was. Throws `Failure`. */
  async function start(mine) {
    const turn = ++turns
    const stream = await openCamera(video, facing, () => session === mine && turn === turns)
    if (stream) attach(stream)
    return Boolean(stream)
  }

  function attach(stream) {
    session.stream = stream
    const [track] = stream.getVideoTracks()
    track.enabled = !document.hidden
    track.addEventListener('ended', () => session?.stream === stream && broken(new Failure('cameraGone')))
  }

  function close() {
    session?.clip?.stop()
    stopCamera(session?.stream)
    session = null
    video.srcObject = null
    box.hidden = true
    at('clip').setAttribute('aria-pressed', false)
  }

  function broken(failure) {
    close()
    onFailure(failure)
  }

  async function watch(mine) {
    try {
      while (session === mine) {
        await nextFrame(video)
        if (session === mine && !document.hidden) await drawOne(mine)
      }
    } catch (error) {
      if (session === mine) broken(error instanceof Failure ? error : new Failure('noRun', error.message))
    }
  }

  async function drawOne(mine) {
    if (video.readyState < HAVE_FRAME) return // of a camera that has just been turned
    const start = performance.now()
    const size = frameSize({ width: video.videoWidth, height: video.videoHeight }, mine.pace.side)
    const bitmap = await createImageBitmap(video, { resizeWidth: size.width, resizeHeight: size.height, resizeQuality: 'medium' })
    const made = await drawer.frame(bitmap, look()).catch((error) => { if (error.code !== 'stopped') throw error })
    if (!made) return // the engine begins anew: the next frame is drawn by it
    if (session !== mine) return made.frame.close()
    if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size)
    paint(context, made.frame, size, mirrored)
    made.frame.close()
    const now = performance.now()
    mine.pace.add(made.ms)
    tell({ fps: mine.rate.add(now), delay: now - start, ...size, ...made })
  }

  /** What is measured, as text and for those who read attributes. */
  function tell({ fps, delay, width, height, provider, threads }) {
    const facts = at('live-facts')
    Object.assign(facts.dataset, { fps: fps.toFixed(2), delay: Math.round(delay), side: Math.min(width, height), frames: Number(facts.dataset.frames ?? 0) + 1 })
    facts.textContent = text('liveFacts', fps.toFixed(fps < 9.95 ? 1 : 0), width, height, Math.round(delay), runsOn({ provider, threads }))
  }

  /** The labels of what can be pressed. */
  function say() {
    at('mirror').setAttribute('aria-pressed', mirrored)
    at('clip').textContent = text(session?.clip ? 'clipStop' : 'clip')
    canvas.setAttribute('aria-label', text('liveName'))
  }

  async function turn() {
    const mine = session
    stopCamera(mine.stream)
    facing = facing === 'user' ? 'environment' : 'user'
    try {
      if (!(await start(mine))) return
      mirrored = facing === 'user'
      say()
    } catch (error) {
      if (session === mine) broken(error)
    }
  }

  async function record() {
    if (session.clip) return session.clip.stop()
    const mine = session
    mine.pace.fixed = true // a film has one size
    mine.clip = startClip(canvas)
    at('clip').setAttribute('aria-pressed', true)
    say()
    const blob = await mine.clip.done
    mine.clip = null
    mine.pace.fixed = false
    at('clip').setAttribute('aria-pressed', false)
    say()
    if (blob?.size) onSave(blob, blob.type)
    else onFailure(new Failure('noSave'))
  }

  document.addEventListener('visibilitychange', () => {
    if (!session) return
    for (const track of session.stream?.getTracks() ?? []) track.enabled = !document.hidden
    session.clip?.pause(document.hidden)
    session.rate.reset()
    if (document.hidden) at('live-facts').textContent = text('livePaused')
  })
  at('clip').hidden = typeof MediaRecorder === 'undefined'
  at('clip').addEventListener('click', record)
  at('mirror').addEventListener('click', () => { mirrored = !mirrored; say() })
  at('turn').addEventListener('click', turn)
  at('leave').addEventListener('click', close)
  at('still').addEventListener('click', () => canvas.toBlob((blob) => (blob ? onSave(blob, 'image/png') : onFailure(new Failure('noSave')))))
  at('shoot').addEventListener('click', async () => {
    if (video.readyState < HAVE_FRAME) return // a camera that has just been turned has none yet
    try {
      const blob = await photograph(video, mirrored)
      close()
      onPhoto(blob)
    } catch {
      onFailure(new Failure('noSave'))
    }
  })
  return live
}

/** The next frame of a video that is seen; a hidden page has none, so that the work pauses by itself. */
function nextFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback && video.readyState >= HAVE_FRAME) {
      const late = setTimeout(resolve, 1000) // a camera that stands still says nothing
      video.requestVideoFrameCallback(() => { clearTimeout(late); resolve() })
    } else requestAnimationFrame(resolve)
  })
}
