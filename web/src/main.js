/* The page: what is on it, and who talks to whom. The work itself is in worker.js. */

import models from 'virtual:models'
import { Failure } from '../package/src/failure.js'
import { startAlbum } from './album.js'
import { startChoices } from './choices.js'
import { startCompare } from './compare.js'
import { startDrawer } from './drawer.js'
import { canShare, encoded, offerInstall, save, share } from './files.js'
import { startFilms } from './film_view.js'
import { keepOffline, reloadForThreads } from './keep.js'
import { startLive } from './live.js'
import { remember, remembered } from './memory.js'
import { distinct, resultName } from './names.js'
import { close, MOST_MEGAPIXELS, openPicture, pixels, workingSize } from './picture.js'
import { currentLanguage, otherLanguage, text, translate } from './texts.js'
import { startTheme } from './theme.js'
import { duration, forgetTimes, record, runsOn, showTimes } from './timings.js'
import { zip } from './zip.js'

const OWN = 'own' // lines as the style draws them
const at = (id) => document.getElementById(id)
const choices = startChoices(at('styles'), at('palettes'), at('speed'), models)
const before = at('before')
const after = at('after')
const drawer = startDrawer({ onReady: started, onStep: (step, steps) => busy(['steps', step, steps]), onFailure: fail })
const album = startAlbum(at('strip'), (index) => { packing = null; choose(index) })
const live = startLive(at, drawer, wanted, { onPhoto: (blob) => take([named(blob, 'camera.png')]), onSave: saveLive, onFailure: leaveLive })
const films = startFilms(at, drawer, wanted, { onSave: save, onFailure: (failure, name) => { stage(); fail(failure, name) }, onClose: startOver })

let ready // {files, threads, provider} of the engine
let image // the opened picture, at its own size, with its `file`, and `frames`: how many pictures that has
let name = ''
let taken = 0 // photos so far
let opening = false // the newest of them is being opened: a drawing that ends meanwhile is of the one before
let packing = null // {i, files, request, late} while a zip is made; `late`: choices were made meanwhile
let made // facts of the picture that is shown, null while there is none
let apart = null // the line about files that are left out, until it is said
let said // [key, ...values] of the line that is shown, so that it can change its language
let doing // the same of the line about work

function startEngine() {
  ready = null
  drawer.start(at('engine').value, wanted())
}

function started(data) {
  ready = data
  showFacts()
  keepOffline(data.files, () => {
    at('offline').hidden = false
    at('offline').dataset.text = 'offline'
    translate()
    if (!image && !taken && !live.running && !films.running) reloadForThreads()
  })
}

/** What the choices on the page now want. */
function wanted() {
  const look = { palette: choices.palette, strength: at('strength').value / 100, keepColour: at('keep-colour').checked }
  return { style: choices.style, size: choices.speed, palette: choices.palette, stroke: at('stroke').value === OWN ? null : Number(at('stroke').value), limit: at('size').value, look }
}

/** What is drawn: a zip as the choices were when it was begun. */
const request = () => packing?.request ?? wanted()

/** A choice counts at once; while a zip is made, after it. */
function redraw(draw) {
  if (packing) packing.late = true
  else if (image) draw()
}

/** The picture as it is wanted, on the page. Resolves to true where it is there, null where something newer came, false where it failed. */
async function ask(photo) {
  const { style, size, palette, stroke, look } = request()
  state('busy')
  if (photo || made?.style !== style || made.size !== size) busy([ready ? 'working' : 'starting'])
  try {
    const found = await drawer.draw({ photo, style, size, stroke, look })
    if (found) show(found, palette)
    return found && true
  } catch (error) {
    if (error.code === 'stopped') return null
    if (!opening) fail(error)
    return false
  }
}

function show({ picture, width, height, ...facts }, palette) {
  Object.assign(after, { width, height })
  after.getContext('2d').putImageData(new ImageData(picture, width, height), 0, 0)
  made = { ...facts, palette, width, height }
  if (facts.fresh) record(made)
  describe()
  if (opening) return
  if (!packing) busy(null)
  state('done')
}

/** Photos, or a film, from wherever: the page starts on the first. */
function take(files) {
  const pictures = files.filter(({ type }) => !type.startsWith('video/'))
  if (!files.length) return
  const left = pictures.length ? files.filter((file) => !pictures.includes(file)) : files.slice(1)
  const line = left.length ? ['leftOut', left.map((file) => file.name).join(', ')] : null
  live.close()
  if (!pictures.length) return takeFilm(files[0], line)
  films.close()
  packing = null
  apart = line
  album.put(pictures)
  return choose(0)
}

async function takeFilm(file, line) {
  startOver()
  try {
    if (!(await films.open(file))) return // something newer came
    stage()
    state('done')
    say(line)
  } catch (error) {
    stage()
    fail(error, file.name)
  }
}

/** Opens a photo of the album and draws it. Resolves to what `ask` does. */
async function choose(index) {
  const file = album.files[index]
  const turn = ++taken
  album.mark(index)
  opening = true
  state('busy')
  try {
    const opened = await openPicture(file, file.name)
    if (turn !== taken) return close(opened), null // a newer one was faster
    opening = false
    if (image) close(image)
    image = Object.assign(opened, { file })
    name = file.name
    return await work()
  } catch (error) {
    if (turn !== taken) return null
    opening = false
    fail(error, file.name)
    return false
  }
}

/** Starts on the opened picture at the chosen size. Resolves to what `ask` does. */
async function work() {
  try {
    const { limit } = request()
    const size = workingSize(image, limit === 'full' ? limit : Number(limit))
    const photo = pixels(image, size, before)
    Object.assign(after, size)
    after.getContext('2d').drawImage(before, 0, 0)
    made = null
    stage()
    at('compare').style.setProperty('--ratio', `${size.width} / ${size.height}`)
    say(apart)
    apart = null
    describe()
    return await ask({ width: size.width, height: size.height, data: photo.data })
  } catch (error) {
    drawer.cancel() // the photo before would be shown as this one
    fail(error instanceof Failure ? error : new Failure('noMemory'))
    return false
  }
}

/** Which of the stage's views is there: the camera, a film, the picture, or the place for one. */
function stage() {
  const shown = live.running ? 'live' : films.running ? 'film' : image ? 'compare' : 'drop'
  for (const id of ['live', 'film', 'compare', 'drop']) at(id).hidden = id !== shown
  if (document.body.dataset.view && document.body.dataset.view !== shown) scrollTo(0, 0) // on a phone it stands at the top
  document.body.dataset.view = shown
}

function busy(line) {
  doing = line && packing ? ['photos', packing.i + 1, packing.files.length, text(...line)] : line
  at('busy').hidden = !doing
  at('progress').textContent = doing ? text(...doing) : ''
  at('compare').setAttribute('aria-busy', Boolean(doing))
}

/** For those who wait for the page, tests among them: "busy", "done", "failed" or "stopped". */
function state(name) {
  document.body.dataset.state = name
}

/** One line about what went wrong; the page goes on. */
function fail(error, ...values) {
  busy(null)
  state('failed')
  const known = error instanceof Failure
  say([known ? error.code : 'noRun', ...(error.code === 'filmBroken' ? [error.message] : [values[0] ?? name, error.message, MOST_MEGAPIXELS])])
  describe()
}

function say(line) {
  said = line
  at('message').hidden = !line
  at('message').textContent = line ? text(...line) : ''
}

/** Ends the work at hand; what was drawn before stays. */
function stop() {
  drawer.cancel()
  taken++ // nor is a photo wanted that is still being opened
  if (opening) album.mark(album.files.indexOf(image?.file))
  opening = false
  packing = null
  busy(null)
  state('stopped')
  say(['stopped'])
  describe()
}

/** Everything on the page that follows from the picture and the choices. */
function describe() {
  at('download').disabled = at('share').disabled = !made
  at('another').disabled = !image && !album.files.length
  at('all').hidden = album.files.length < 2
  at('all').disabled = Boolean(packing)
  at('all').textContent = text('all', album.files.length)
  at('strength-value').textContent = `${at('strength').value} %`
  before.setAttribute('aria-label', text('beforeName'))
  after.setAttribute('aria-label', text('afterName', text(`styles.${(made ?? request()).style}`)))
  at('note').textContent = image ? [sizeNote(), made && `${duration(made.ms)}, ${runsOn(made)}.`].filter(Boolean).join(' ') : ''
  showTimes(at('rows'), at('last'))
  showFacts()
}

function sizeNote() {
  const { naturalWidth, naturalHeight, frames } = image
  const key = naturalWidth === before.width ? 'whole' : request().limit === 'full' ? 'capped' : 'scaled'
  const drawn = made?.drawn
  const lines = [
    frames > 1 && text('moving', name),
    text(key, naturalWidth, naturalHeight, before.width, before.height),
    drawn && text('drawnAt', drawn.width, drawn.height),
  ]
  return lines.filter(Boolean).join(' ')
}

function showFacts() {
  const model = models.find(({ style, size }) => style === choices.style && size === choices.speed)
  const facts = [text('model', (model.bytes / 1e6).toFixed(2)), ready?.runtime, ready && runsOn(ready)]
  at('facts').textContent = facts.filter(Boolean).join(' · ')
  at('no-gpu').hidden = at('engine').value !== 'gpu' || (made ?? ready)?.provider !== 'wasm'
}

function speak() {
  translate()
  choices.translate()
  at('language').textContent = text('language')
  at('language').lang = currentLanguage() === 'en' ? 'zh' : 'en'
  at('theme').setAttribute('aria-label', text('theme'))
  at('split').setAttribute('aria-label', text('split'))
  at('format').setAttribute('aria-label', text('format'))
  album.translate()
  films.translate()
  live.say()
  showSplit()
  if (said) say(said)
  describe()
}

/** Saves or shares the picture on the page. */
async function give(where) {
  try {
    const type = at('format').value
    const title = resultName(name, made, type)
    await where(await encoded(after, type), title)
  } catch (error) {
    fail(error)
  }
}

/** Draws every photo of the album as the choices now are, and saves them as one zip. Choices that are made meanwhile count after it. */
async function saveAll() {
  const type = at('format').value
  const mine = (packing = { i: 0, files: album.files, request: wanted(), late: false })
  const { files, unread, undrawn } = await drawAll(mine, type).catch((error) => { if (packing === mine) packing = null; throw error })
  if (packing !== mine) return // stopped, or something newer
  packing = null
  busy(null)
  if (mine.late) redraw(work)
  if (!files.length) return undrawn.length ? describe() : fail(new Failure('noPictures')) // the last one's line stands
  save(await zip(files), `anime-${resultName('', mine.request, type).replace(/^photo-|\.\w+$/g, '')}.zip`)
  if (unread.length + undrawn.length) say(['zipWithout', [...unread, ...undrawn].join(', ')])
  describe()
}

/** The drawings of a zip as {files: [{name, blob}], unread: names, undrawn: names of photos that were read}. Ends early where the zip is no longer made. */
async function drawAll(mine, type) {
  const names = distinct(mine.files.map((file) => resultName(file.name, mine.request, type)))
  const [files, unread, undrawn] = [[], [], []]
  while (packing === mine && mine.i < mine.files.length) {
    const here = await choose(mine.i)
    if (packing !== mine || here === null) continue // the engine began anew: once more
    if (here) files.push({ name: names[mine.i], blob: await encoded(after, type) })
    else (image?.file === mine.files[mine.i] ? undrawn : unread).push(mine.files[mine.i].name)
    mine.i++
  }
  return { files, unread, undrawn }
}

async function openLive() {
  startOver()
  say(null)
  state('busy')
  try {
    await live.open()
    stage()
    state('done')
  } catch (error) {
    leaveLive(error)
  }
}

function saveLive(blob, type) {
  save(blob, resultName('camera', wanted(), type))
}

function leaveLive(failure) {
  stage()
  fail(failure)
}

async function useSample() {
  try {
    const response = await fetch('./sample.jpg')
    if (!response.ok) throw new Error(response.status)
    await take([named(await response.blob(), 'sample.jpg')])
  } catch {
    fail(new Failure('noSample'))
  }
}

const named = (blob, name) => new File([blob], name, { type: blob.type })

function startOver() {
  if (image) close(image)
  image = made = packing = apart = null
  taken++ // whatever is still being opened is not wanted
  opening = false
  album.put([])
  live.close()
  films.close()
  drawer.cancel()
  busy(null)
  say(null)
  stage()
  describe()
}

function listen() {
  const on = (id, event, handler) => at(id).addEventListener(event, handler)
  on('choose', 'click', () => at('file').click())
  on('file', 'change', ({ target }) => {
    take([...target.files])
    target.value = '' // the same file again is a change, too
  })
  on('camera', 'click', openLive)
  on('leave', 'click', stage)
  on('sample', 'click', useSample)
  on('download', 'click', () => give(save))
  on('share', 'click', () => give(share))
  on('all', 'click', () => saveAll().catch((error) => fail(error instanceof RangeError ? new Failure('zipTooLarge') : error)))
  on('stop', 'click', stop)
  on('stop', 'pointerdown', (event) => event.stopPropagation()) // not the slider's
  on('another', 'click', () => { startOver(); at('choose').focus() })
  on('panel', 'submit', (event) => event.preventDefault())
  on('panel', 'reset', (event) => event.preventDefault())
  on('strength', 'input', () => { redraw(ask); describe() })
  on('keep-colour', 'change', () => redraw(ask))
  on('size', 'change', () => { remember('size', at('size').value); redraw(work) })
  on('stroke', 'change', () => { remember('stroke', at('stroke').value); say(null); redraw(ask); describe() })
  on('engine', 'change', () => { remember('engine', at('engine').value); startEngine(); redraw(work) })
  on('forget', 'click', () => { forgetTimes(); describe() })
  on('language', 'click', () => { otherLanguage(); speak() })
  choices.onchange = () => { say(null); redraw(ask); describe() }
  listenForFiles()
}

function listenForFiles() {
  addEventListener('dragover', (event) => { event.preventDefault(); document.body.classList.add('dragging') })
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('dragging') })
  addEventListener('drop', (event) => {
    event.preventDefault()
    document.body.classList.remove('dragging')
    take([...event.dataTransfer.files])
  })
  addEventListener('paste', ({ clipboardData }) => take([...clipboardData.files]))
  addEventListener('keydown', ({ key }) => { if (key === 'Escape' && !at('busy').hidden) stop() })
}

at('size').value = remembered('size') ?? '2048'
at('stroke').value = remembered('stroke') ?? OWN
if (!at('stroke').value) at('stroke').value = OWN // what an earlier page remembered and this one does not offer
at('engine').value = remembered('engine') ?? 'auto'
at('share').hidden = !canShare()
offerInstall(at('install'))
const showSplit = startCompare(at('compare'), at('split'))
startTheme(at('theme'))
listen()
stage()
speak()
startEngine()
