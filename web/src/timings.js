/* How long pictures took on this device: kept on this device, shown on the page. */

import { remember, remembered } from './memory.js'
import { text } from './texts.js'

const KEPT = 30
const PROVIDERS = { wasm: 'CPU', webgpu: 'WebGPU' }

export const times = () => remembered('times') ?? []

export function record({ style, size, width, height, provider, threads, ms }) {
  const entry = { style, size, width, height, provider, threads, ms: Math.round(ms), at: new Date().toISOString() }
  remember('times', [entry, ...times()].slice(0, KEPT))
}

export function forgetTimes() {
  remember('times', [])
}

export function showTimes(rows, last) {
  const all = times()
  last.textContent = all.length ? duration(all[0].ms) : ''
  rows.replaceChildren(...all.map(row))
}

/** "CPU × 2" or "WebGPU". */
export function runsOn({ provider, threads }) {
  return provider === 'wasm' && threads > 1 ? `${PROVIDERS.wasm} × ${threads}` : PROVIDERS[provider]
}

export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

function row(entry) {
  const line = document.createElement('tr')
  const size = entry.size && entry.size !== 'lite' ? `, ${text(`speeds.${entry.size}`)}` : '' // entries of before have none
  const cells = [text(`styles.${entry.style}`) + size, `${entry.width} × ${entry.height}`, runsOn(entry), duration(entry.ms)]
  for (const value of cells) line.insertCell().textContent = value
  return line
}
