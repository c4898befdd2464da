/* What the page remembers on this device. Browsers may forbid even that, which is no reason to stop. */

const PREFIX = 'anime-lite:'

export function remembered(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key))
  } catch {
    return null
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value))
  } catch {
    // a full or forbidden store: the next visit starts fresh
  }
}
