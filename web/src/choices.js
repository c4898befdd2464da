/* Style and palette: two groups of radio buttons, so that keys and screen readers work without more code; and the size of
   the network of the style. */

import { favourite } from '../package/src/favourite.js'
import { grade, PALETTES } from '../package/src/grading.js'
import { remember, remembered } from './memory.js'
import { text } from './texts.js'

const SCENE = 56 // pixels a side of the small landscape on a palette's button

export function startChoices(styles, palettes, speed, models) {
  const names = [...new Set(models.map(({ style }) => style))]
  const choices = { onchange: null }
  choices.style = known('style', names) ?? favourite(names)
  choices.palette = known('palette', PALETTES) ?? 'none'
  let wish = remembered('speed') // of a size, which stays where another style has it
  const offer = () => {
    const there = models.filter(({ style }) => style === choices.style).map(({ size }) => size)
    for (const option of speed.options) option.hidden = option.disabled = !there.includes(option.value)
    speed.value = choices.speed = there.includes(wish) ? wish : 'lite'
    speed.closest('.field').hidden = there.length < 2
  }
  const changed = (group, value) => {
    remember(group, value)
    offer()
    choices.onchange?.()
  }
  const pick = (group) => (value) => {
    choices[group] = value
    changed(group, value)
  }
  speed.addEventListener('change', () => {
    wish = speed.value
    changed('speed', wish)
  })
  styles.replaceChildren(...names.map((style) => radio('style', style, choices.style, pick('style'), styleCard(style))))
  palettes.replaceChildren(...PALETTES.map((name) => radio('palette', name, choices.palette, pick('palette'), swatch(name))))
  offer()
  choices.translate = () => {
    for (const label of document.querySelectorAll('[data-choice]')) label.textContent = text(label.dataset.choice)
  }
  return choices
}

function known(key, values) {
  return values.includes(remembered(key)) ? remembered(key) : null
}

function radio(group, value, chosen, pick, content) {
  const label = document.createElement('label')
  const input = Object.assign(document.createElement('input'), { type: 'radio', name: group, value, checked: value === chosen })
  input.addEventListener('change', () => pick(value))
  label.append(input, ...content)
  return label
}

function styleCard(style) {
  return [named('b', `styles.${style}`), named('small', `styleNotes.${style}`)]
}

function swatch(palette) {
  const canvas = Object.assign(document.createElement('canvas'), { width: SCENE, height: SCENE })
  canvas.setAttribute('aria-hidden', 'true')
  const context = canvas.getContext('2d')
  landscape(context)
  const { data } = context.getImageData(0, 0, SCENE, SCENE)
  context.putImageData(new ImageData(grade(data, data, { palette, strength: 1 }), SCENE, SCENE), 0, 0)
  return [canvas, named('span', `palettes.${palette}`)]
}

function named(tag, key) {
  const element = document.createElement(tag)
  element.dataset.choice = key
  return element
}

/** Sky, sun, cloud, hills and a roof: one of each colour that a palette treats in its own way. */
function landscape(context) {
  const sky = context.createLinearGradient(0, 0, 0, SCENE)
  sky.addColorStop(0, '#4a90d9')
  sky.addColorStop(0.65, '#cfe6f5')
  fill(context, sky, () => context.rect(0, 0, SCENE, SCENE))
  fill(context, '#ffd98a', () => context.arc(40, 16, 7, 0, 7))
  fill(context, '#ffffff', () => context.ellipse(17, 20, 11, 4.5, 0, 0, 7))
  fill(context, '#6fa05f', () => context.ellipse(14, 56, 30, 19, 0, 0, 7))
  fill(context, '#39683f', () => context.ellipse(50, 60, 28, 18, 0, 0, 7))
  fill(context, '#f1dccb', () => context.rect(20, 34, 14, 11))
  fill(context, '#b5473f', () => { context.moveTo(17, 35); context.lineTo(27, 26); context.lineTo(37, 35) })
}

function fill(context, colour, path) {
  context.fillStyle = colour
  context.beginPath()
  path()
  context.fill()
}
