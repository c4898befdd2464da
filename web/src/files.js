/* Files out of the page: downloads, zips, and what the device can share. */

import { Failure } from '../package/src/failure.js'

const KEPT = 60_000 // milliseconds that a browser may take to begin a download

export function save(blob, name) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT)
}

/** A canvas as a file's blob. Throws `Failure`. */
export async function encoded(canvas, type) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.95))
  if (!blob) throw new Failure('noSave')
  return blob
}

/** Whether pictures can be given to the device's other apps. */
export function canShare() {
  const probe = new File([''], 'probe.png', { type: 'image/png' })
  return Boolean(navigator.canShare?.({ files: [probe] }))
}

/** Throws `Failure`; a visitor who thinks better of it is none. */
export async function share(blob, name) {
  try {
    await navigator.share({ files: [new File([blob], name, { type: blob.type })] })
  } catch (error) {
    if (error.name !== 'AbortError') throw new Failure('noShare', error.message)
  }
}

/** Shows `button` where the browser offers to install the page as an app, and asks when it is pressed. */
export function offerInstall(button) {
  let offer = null
  const show = () => { button.hidden = !offer }
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault()
    offer = event
    show()
  })
  addEventListener('appinstalled', () => { offer = null; show() })
  button.addEventListener('click', async () => {
    await offer?.prompt()
    offer = null
    show()
  })
}
