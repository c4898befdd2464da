/* The view of a film that is drawn: its size and length, then progress and time left, then the film and its download. */

import { Failure } from '../package/src/failure.js'
import { drawFilm, openFilm } from './film.js'
import { resultName } from './names.js'
import { duration } from './timings.js'
import { text } from './texts.js'

const WARM = 2 // seconds before a guess of the time left is worth something

/** `drawer` draws the frames as `look()` wants them; `told`: {onSave(blob, name), onFailure(failure, name), onClose()}. */
export function startFilms(at, drawer, look, { onSave, onFailure, onClose }) {
  const context = at('film-picture').getContext('2d')
  const films = { open, close, translate, get running() { return Boolean(film) } }
  let film = null // {name, input, ...} of film.js
  let turn = 0 // raised by whatever is newer than a film that is still being opened
  let stop = null // while it is drawn
  let line = () => ''
  let result = null // {blob, name}

  /** Resolves to whether the film is there: not where something newer came. Throws `Failure`. */
  async function open(file) {
    close()
    const mine = turn
    const opened = await openFilm(file).catch((error) => { if (mine === turn) throw error })
    if (mine !== turn) return opened?.input.dispose(), false
    film = { ...opened, name: file.name }
    at('film').hidden = false
    Object.assign(at('film-picture'), film.drawn)
    const { width, height } = film.size
    say(() => text('filmReady', film.name, width, height, duration(film.duration * 1000), film.drawn.width, film.drawn.height))
    show({ start: true })
    return true
  }

  async function start() {
    stop = new AbortController()
    const begun = performance.now()
    show({ progress: true })
    const onProgress = (share) => {
      at('film-progress').value = share
      const seconds = (performance.now() - begun) / 1000
      const left = seconds > WARM && share > 0 ? duration((1000 * seconds * (1 - share)) / share) : '…'
      say(() => text('filmWorking', Math.floor(100 * share), left))
    }
    onProgress(0)
    const mine = film
    try {
      const made = await drawFilm(film, { draw, onProgress, signal: stop.signal })
      if (film === mine && made) finish(made)
    } catch (error) {
      close()
      onFailure(error instanceof Failure ? error : new Failure('noRun', error.message), mine.name)
    }
  }

  /** The drawing of a canvas, asked for once more where the engine begins anew meanwhile. */
  async function draw(canvas) {
    const made = await drawer.frame(await createImageBitmap(canvas), look()).catch((error) => {
      if (error.code !== 'stopped') throw error
    })
    if (!made) return draw(canvas)
    context.drawImage(made.frame, 0, 0)
    return made.frame
  }

  function finish({ blob, silent }) {
    stop = null
    result = { blob, name: resultName(film.name, look(), blob.type) }
    const { width, height } = film.drawn
    const length = duration(film.duration * 1000)
    say(() => [text('filmDone', width, height, length), silent && text('filmSilent')].filter(Boolean).join(' '))
    at('film-result').src = URL.createObjectURL(blob)
    show({ result: true })
  }

  /** Which of the view's parts are there. */
  function show({ start = false, progress = false, result: done = false }) {
    at('film-start').hidden = !start
    at('film-progress').hidden = !progress
    at('film-save').hidden = at('film-result').hidden = !done
    at('film-picture').hidden = done || start
    at('film-leave').dataset.text = done ? 'another' : 'cancel'
    translate()
  }

  function say(made) {
    line = made
    at('film-facts').textContent = line()
  }

  function translate() {
    at('film-leave').textContent = text(at('film-leave').dataset.text)
    at('film-facts').textContent = line()
    at('film-picture').setAttribute('aria-label', text('filmName'))
    at('film-progress').setAttribute('aria-label', text('filmName'))
  }

  function close() {
    turn++
    stop?.abort()
    film?.input.dispose()
    const video = at('film-result')
    if (result) URL.revokeObjectURL(video.src)
    video.pause()
    video.removeAttribute('src')
    video.load() // lets go of the film, which would play on
    film = stop = result = null
    at('film').hidden = true
  }

  at('film-start').addEventListener('click', start)
  at('film-save').addEventListener('click', () => onSave(result.blob, result.name))
  at('film-leave').addEventListener('click', () => { close(); onClose() })
  return films
}
