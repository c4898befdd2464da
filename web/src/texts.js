/* The page in two languages; every text is in texts.json. */

import texts from './texts.json' with { type: 'json' }
import { remember, remembered } from './memory.js'

let language = remembered('language') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en')

/** The text of a key such as "scaled" or "styles.hayao", its {0}, {1} … filled in. An unknown key is its own last part. */
export function text(key, ...values) {
  const found = key.split('.').reduce((level, part) => level?.[part], texts[language]) ?? key.split('.').at(-1)
  return found.replace(/\{(\d)\}/g, (_, i) => values[i])
}

const TOUCH = matchMedia('(pointer: coarse)').matches

/** Fills every element with a `data-text` in. */
export function translate() {
  document.documentElement.lang = language
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text)
  if (TOUCH) document.querySelector('[data-text=drop]').textContent = text('dropTouch') // fingers drop nothing
}

export function otherLanguage() {
  language = language === 'en' ? 'zh' : 'en'
  remember('language', language)
}

export const currentLanguage = () => language
