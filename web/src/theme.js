/* Light or dark: as the device wants it, until the visitor says otherwise. */

import { remember, remembered } from './memory.js'

export function startTheme(button) {
  const device = matchMedia('(prefers-color-scheme: dark)')
  const current = () => remembered('theme') ?? (device.matches ? 'dark' : 'light')
  const show = () => {
    document.documentElement.dataset.theme = current()
    button.setAttribute('aria-pressed', current() === 'dark')
    const paper = getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()
    document.querySelector('meta[name=theme-color]').content = paper // the browser's own bars
  }
  button.addEventListener('click', () => {
    remember('theme', current() === 'dark' ? 'light' : 'dark')
    show()
  })
  device.addEventListener('change', show)
  show()
}
