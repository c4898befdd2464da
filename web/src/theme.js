/* Light or dark: as the device wants it, until the visitor says otherwise. */

import { remember, remembered } from './memory.js'

export function startTheme(button) {
  const device = matchMedia('(prefers-color-scheme: dark)')
  const current = () => remembered('theme') ?? (device.matches ? 'dark' : 'light')
  const show = () => {
    document.documentElement.dataset.theme = current()
    button.setAttribute('aria-pressed', current() === 'dark')
  }
  button.addEventListener('click', () => {
    remember('theme', current() === 'dark' ? 'light' : 'dark')
    show()
  })
  device.addEventListener('change', show)
  show()
}
