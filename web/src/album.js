/* Several photos at once: a strip of small pictures, one of them on the stage. */

import { small } from './picture.js'
import { text } from './texts.js'

const SIDE = 144 // pixels of the small pictures' longer side

/** `onChoose(index)` is called where the visitor presses one. */
export function startAlbum(strip, onChoose) {
  const album = { files: [], current: 0, put, mark, translate }
  let turn = 0

  function put(files) {
    album.files = files
    album.current = 0
    strip.hidden = files.length < 2
    strip.replaceChildren(...(strip.hidden ? [] : files.map(button)))
    translate()
    const mine = ++turn
    if (!strip.hidden) fill(mine)
  }

  function button(file, i) {
    const made = Object.assign(document.createElement('button'), { type: 'button', title: file.name })
    made.append(document.createElement('canvas'))
    made.addEventListener('click', () => onChoose(i))
    return made
  }

  /** Small pictures one by one, so that large photos are not all decoded at once. */
  async function fill(mine) {
    for (const [i, file] of album.files.entries()) {
      const bitmap = await small(file, SIDE)
      if (mine !== turn) return bitmap?.close()
      const canvas = strip.children[i].firstChild
      if (!bitmap) strip.children[i].classList.add('unread')
      else {
        Object.assign(canvas, { width: bitmap.width, height: bitmap.height })
        canvas.getContext('2d').drawImage(bitmap, 0, 0)
        bitmap.close()
      }
    }
  }

  /** The photo on the stage. */
  function mark(index) {
    album.current = index
    for (const [i, each] of [...strip.children].entries()) each.setAttribute('aria-current', i === index)
  }

  function translate() {
    strip.setAttribute('aria-label', text('strip'))
    for (const [i, each] of [...strip.children].entries()) each.setAttribute('aria-label', `${text('photoOf', i + 1, album.files.length)}: ${each.title}`)
    mark(album.current)
  }

  return album
}
