/* The page: what is on it, and who talks to whom. The work itself is in worker.js. */

import models from 'virtual:models'
import { photograph } from './camera.js'
import { startChoices } from './choices.js'
import { startCompare } from './compare.js'
import { Failure } from './failure.js'
import { keepOffline, reloadForThreads } from './keep.js'
import { remember, remembered } from './memory.js'
import { close, MOST_MEGAPIXELS, openPicture, pixels, workingSize } from './picture.js'
import { currentLanguage, otherLanguage, text, translate } from './texts.js'
import { startTheme } from './theme.js'
import { duration, forgetTimes, record, runsOn, showTimes } from './timings.js'

const at = (id) => document.getElementById(id)
const choices = startChoices(at('styles'), at('palettes'), models)
const before = at('before')
const after = at('after')

let worker
let ready // {files, threads, provider} of the engine
let image // the opened picture, at its own size
let name = ''
let taken = 0 // files so far
let sent = 0 // id of the newest request
let made // facts of the picture that is shown, null while there is none
let said // [key, ...values] of the line that is shown, so that it can change its language

function startWorker() {
  worker?.terminate()
  ready = null
  worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
  worker.onmessage = ({ data }) => receive(data)
  worker.onerror = () => fail('noEngine')
  worker.postMessage({ start: at('engine').value, style: choices.style })
}

function receive(data) {
  if (data.ready) return started(data)
  if (data.id !== sent && data.id !== 0) return
  if (data.failure) return fail(data.failure)
  if (data.picture) return show(data)
  busy(data.tiles > 1 ? text('tiles', data.tile, data.tiles) : text('working'))
}

function started(data) {
  ready = data
  showFacts()
  keepOffline(data.files, () => {
    at('offline').hidden = false
    at('offline').dataset.text = 'offline'
    translate()
    if (!image && !taken) reloadForThreads()
  })
}

/** Asks the worker for the picture as all the choices on the page now want it. */
function ask(photo) {
  if (!image) return
  state('busy')
  if (made?.style !== choices.style || photo) busy(text(ready ? 'working' : 'starting'))
  const look = { palette: choices.palette, strength: at('strength').value / 100, keepColour: at('keep-colour').checked }
  const request = { id: ++sent, photo, style: choices.style, look }
  worker.postMessage(request, photo ? [photo.data.buffer] : [])
}

function show({ picture, width, height, ...facts }) {
  Object.assign(after, { width, height })
  after.getContext('2d').putImageData(new ImageData(picture, width, height), 0, 0)
  made = { ...facts, width, height }
  if (facts.fresh) record(made)
  busy(null)
  state('done')
  describe()
}

async function take(file, fileName = file.name) {
  const turn = ++taken
  state('busy')
  try {
    const opened = await openPicture(file, fileName)
    if (turn !== taken) return close(opened) // a newer file was faster
    if (image) close(image)
    image = opened
    name = fileName
    work()
  } catch (error) {
    fail(error.code, fileName, error.message, MOST_MEGAPIXELS)
  }
}

/** Starts on the opened picture at the chosen size. */
function work() {
  try {
    const size = workingSize(image, at('size').value === 'full' ? 'full' : Number(at('size').value))
    const photo = pixels(image, size, before)
    Object.assign(after, size)
    after.getContext('2d').drawImage(before, 0, 0)
    made = null
    at('drop').hidden = true
    at('compare').hidden = false
    at('compare').style.setProperty('--ratio', `${size.width} / ${size.height}`)
    say(null)
    describe()
    ask({ width: size.width, height: size.height, data: photo.data })
  } catch (error) {
    fail(error instanceof Failure ? error.code : 'noMemory')
  }
}

function busy(line) {
  at('busy').hidden = line === null
  at('progress').textContent = line ?? ''
  at('compare').setAttribute('aria-busy', line !== null)
}

/** For those who wait for the page, tests among them: "busy", "done" or "failed". */
function state(name) {
  document.body.dataset.state = name
}

function fail(key, ...values) {
  busy(null)
  state('failed')
  say([key ?? 'noRun', ...values])
}

function say(line) {
  said = line
  at('message').hidden = !line
  at('message').textContent = line ? text(...line) : ''
}

/** Everything on the page that follows from the picture and the choices. */
function describe() {
  at('download').disabled = !made
  at('another').disabled = !image
  at('strength-value').textContent = `${at('strength').value} %`
  before.setAttribute('aria-label', text('beforeName'))
  after.setAttribute('aria-label', text('afterName', text(`styles.${choices.style}`)))
  at('note').textContent = image ? [sizeNote(), made && `${duration(made.ms)}, ${runsOn(made)}.`].filter(Boolean).join(' ') : ''
  showTimes(at('rows'), at('last'))
  showFacts()
}

function sizeNote() {
  const { naturalWidth, naturalHeight } = image
  if (naturalWidth === before.width) return text('whole', naturalWidth, naturalHeight)
  const key = at('size').value === 'full' ? 'capped' : 'scaled'
  return text(key, naturalWidth, naturalHeight, before.width, before.height)
}

function showFacts() {
  const model = models.find(({ style }) => style === choices.style)
  const facts = [text('model', (model.bytes / 1e6).toFixed(2)), 'ONNX Runtime Web', ready && runsOn(ready)]
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
  showSplit()
  if (said) say(said)
  describe()
}

async function download() {
  const type = at('format').value
  const blob = await new Promise((resolve) => after.toBlob(resolve, type, 0.95))
  if (!blob) return fail('noSave')
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = `${name.replace(/\.[^.]*$/, '') || 'photo'}-${made.style}.${type === 'image/png' ? 'png' : 'jpg'}`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

async function useCamera() {
  try {
    const controls = { video: at('video'), shoot: at('shoot'), turn: at('turn'), leave: at('leave') }
    const blob = await photograph(at('viewfinder'), controls)
    if (blob) await take(blob, 'camera.png')
  } catch (error) {
    fail(error.code ?? 'noCamera')
  }
}

async function useSample() {
  try {
    const response = await fetch('./sample.jpg')
    if (!response.ok) throw new Error(response.status)
    await take(await response.blob(), 'sample.jpg')
  } catch {
    fail('noSample')
  }
}

function startOver() {
  close(image)
  image = made = null
  sent++ // whatever the worker still makes is not wanted
  busy(null)
  say(null)
  at('compare').hidden = true
  at('drop').hidden = false
  describe()
  at('choose').focus()
}

function listen() {
  const on = (id, event, handler) => at(id).addEventListener(event, handler)
  on('choose', 'click', () => at('file').click())
  on('file', 'change', ({ target }) => {
    if (target.files[0]) take(target.files[0])
    target.value = '' // the same file again is a change, too
  })
  on('camera', 'click', useCamera)
  on('sample', 'click', useSample)
  on('download', 'click', download)
  on('another', 'click', startOver)
  on('panel', 'submit', (event) => event.preventDefault())
  on('panel', 'reset', (event) => event.preventDefault())
  on('strength', 'input', () => { ask(); describe() })
  on('keep-colour', 'change', () => ask())
  on('size', 'change', () => { remember('size', at('size').value); if (image) work() })
  on('engine', 'change', () => { remember('engine', at('engine').value); startWorker(); if (image) work() })
  on('forget', 'click', () => { forgetTimes(); describe() })
  on('language', 'click', () => { otherLanguage(); speak() })
  choices.onchange = () => { say(null); ask(); describe() }
  listenForFiles()
}

function listenForFiles() {
  addEventListener('dragover', (event) => { event.preventDefault(); document.body.classList.add('dragging') })
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('dragging') })
  addEventListener('drop', (event) => {
    event.preventDefault()
    document.body.classList.remove('dragging')
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0])
  })
  addEventListener('paste', ({ clipboardData }) => { if (clipboardData.files[0]) take(clipboardData.files[0]) })
}

at('size').value = remembered('size') ?? '1024'
at('engine').value = remembered('engine') ?? 'auto'
const showSplit = startCompare(at('compare'), at('split'))
startTheme(at('theme'))
listen()
speak()
startWorker()
