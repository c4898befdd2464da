/* The line between photo and picture. A range input carries it, so that keys and screen readers work as they do with any
   slider; a finger or a mouse anywhere on the picture moves the same input. */

import { text } from './texts.js'

export function startCompare(box, input) {
  const show = () => {
    box.style.setProperty('--split', `${input.value}%`)
    input.setAttribute('aria-valuetext', text('splitValue', input.value))
  }
  const move = (event) => {
    const { left, width } = box.getBoundingClientRect()
    input.value = Math.min(Math.max(((event.clientX - left) / width) * 100, 0), 100)
    show()
  }
  box.addEventListener('pointerdown', (event) => {
    if (event.button) return
    event.preventDefault() // no text selection, and the input keeps out of the drag
    input.focus({ preventScroll: true, focusVisible: false })
    box.setPointerCapture(event.pointerId)
    move(event)
  })
  box.addEventListener('pointermove', (event) => box.hasPointerCapture(event.pointerId) && move(event))
  input.addEventListener('input', show)
  show()
  return show
}
