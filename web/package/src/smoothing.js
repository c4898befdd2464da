/* A photo's fine texture made smooth before it is drawn small, as anime_model/runtime/smoothing.py does it, to the bit: else grass,
   stone and walls become a net of cracks. Means are Pillow's BoxBlur, luma its "L", the mixing its Image.composite. */

const RADIUS = 3 // pixels of the window in every direction
const TEXTURE = 10 // levels: luma that deviates by this from its window's mean, on average, is kept by half
const SCALE = 4 // parts of a level in which deviations are averaged
const KEPT = Uint8Array.from({ length: 256 }, (_, step) => Math.round((255 * step ** 2) / (step ** 2 + (SCALE * TEXTURE) ** 2)))

/** A picture {width, height, data: RGBA bytes} where contrast is low, the mean of its window; where it is high, as it is. */
export function smoothed({ width, height, data }) {
  const size = width * height
  const channels = [0, 1, 2].map((channel) => planeOf(data, channel))
  const means = channels.map((plane) => mean(plane, width, height))
  const deviation = luma(channels)
  const local = luma(means)
  for (let i = 0; i < size; i++) deviation[i] = Math.min(255, SCALE * Math.abs(deviation[i] - local[i]))
  const kept = mean(mean(deviation, width, height).map((step) => KEPT[step]), width, height)
  const out = new Uint8ClampedArray(4 * size).fill(255)
  for (let channel = 0; channel < 3; channel++) {
    const [sharp, soft] = [channels[channel], means[channel]]
    for (let i = 0; i < size; i++) {
      const mixed = sharp[i] * kept[i] + soft[i] * (255 - kept[i]) + 128
      out[4 * i + channel] = (mixed + (mixed >> 8)) >> 8
    }
  }
  return { width, height, data: out }
}

function planeOf(data, channel) {
  const plane = new Uint8Array(data.length / 4)
  for (let i = 0; i < plane.length; i++) plane[i] = data[4 * i + channel]
  return plane
}

function luma([red, green, blue]) {
  return red.map((value, i) => (value * 19595 + green[i] * 38470 + blue[i] * 7471 + 0x8000) >> 16)
}

/** Along rows, then along columns, rounded after each; beyond the border its pixels go on. */
function mean(plane, width, height) {
  const window = 2 * RADIUS + 1
  const narrow = new Uint8Array(plane.length)
  for (let row = 0; row < plane.length; row += width) {
    let sum = RADIUS * plane[row]
    for (let x = 0; x < RADIUS; x++) sum += plane[row + Math.min(x, width - 1)]
    for (let x = 0; x < width; x++) {
      sum += plane[row + Math.min(x + RADIUS, width - 1)]
      narrow[row + x] = (sum + RADIUS) / window
      sum -= plane[row + Math.max(x - RADIUS, 0)]
    }
  }
  const out = new Uint8Array(plane.length)
  const sums = new Int32Array(width)
  const row = (y) => Math.min(Math.max(y, 0), height - 1) * width
  for (let y = -RADIUS; y < RADIUS; y++) for (let x = 0, at = row(y); x < width; x++) sums[x] += narrow[at + x]
  for (let y = 0; y < height; y++) {
    const [entering, here, leaving] = [row(y + RADIUS), row(y), row(y - RADIUS)]
    for (let x = 0; x < width; x++) {
      sums[x] += narrow[entering + x]
      out[here + x] = (sums[x] + RADIUS) / window
      sums[x] -= narrow[leaving + x]
    }
  }
  return out
}
