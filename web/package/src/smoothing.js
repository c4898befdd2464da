/* A photo's fine texture made smooth before it is drawn small, as anime_model/runtime/smoothing.py does it, to the bit: else grass,
   stone and walls become a net of cracks. Means are Pillow's BoxBlur, luma its "L", the mixing its Image.composite. */

const RADIUS = 3 // pixels of the window in every direction
const TEXTURE = 10 // levels: luma that deviates by this from its window's mean, on average, is kept by half
const SCALE = 4 // parts of a level in which deviations are averaged
const KEPT = Uint8Array.from({ length: 256 }, (_, step) => Math.round((255 * step ** 2) / (step ** 2 + (SCALE * TEXTURE) ** 2)))

/** A picture {width, height, data: RGBA bytes} where contrast is low, the mean of its window; where it is high, as it is. */
export function smoothed({ width, height, data }) {
  const size = width * height
  const channels = [0, 1, 2].map((channel) => Uint8Array.from({ length: size }, (_, i) => data[4 * i + channel]))
  const means = channels.map((plane) => mean(plane, width, height))
  const deviation = luma(channels)
  const local = luma(means)
  for (let i = 0; i < size; i++) deviation[i] = Math.min(255, SCALE * Math.abs(deviation[i] - local[i]))
  const kept = mean(mean(deviation, width, height).map((step) => KEPT[step]), width, height)
  const out = new Uint8ClampedArray(4 * size).fill(255)
  for (let i = 0; i < size; i++) {
    for (let channel = 0; channel < 3; channel++) {
      const mixed = channels[channel][i] * kept[i] + means[channel][i] * (255 - kept[i]) + 128
      out[4 * i + channel] = (mixed + (mixed >> 8)) >> 8
    }
  }
  return { width, height, data: out }
}

function luma([red, green, blue]) {
  return red.map((value, i) => (value * 19595 + green[i] * 38470 + blue[i] * 7471 + 0x8000) >> 16)
}

/** Along rows, then along columns, rounded after each; beyond the border its pixels go on. */
function mean(plane, width, height) {
  return along(along(plane, height, width, width, 1), width, height, 1, width)
}

/** Means along `count` lines of `length` pixels: a line begins every `apart` places, its pixels are `step` places from each other. */
function along(plane, count, length, apart, step) {
  const out = new Uint8Array(plane.length)
  const window = 2 * RADIUS + 1
  for (let line = 0; line < count; line++) {
    const at = (place) => plane[line * apart + Math.min(Math.max(place, 0), length - 1) * step]
    let sum = 0
    for (let place = -RADIUS; place < RADIUS; place++) sum += at(place)
    for (let place = 0; place < length; place++) {
      sum += at(place + RADIUS)
      out[line * apart + place * step] = (sum + RADIUS) / window
      sum -= at(place - RADIUS)
    }
  }
  return out
}
